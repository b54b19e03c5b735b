// The checks of `penstock doctor --gpu`: the host passes them, and a device that errs does not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "distributed/local_communicator.h"
#include "stages/compute/device_checks.h"
#include "stages/compute/step/host_device_with.h"

namespace penstock::stages {
namespace {

using distributed::Communicator;

std::vector<std::string> failed(const std::vector<Finding>& findings) {
  std::vector<std::string> names;
  for (const Finding& finding : findings) {
    if (finding.state == Finding::State::failed) names.push_back(finding.name);
  }
  return names;
}

std::unique_ptr<StepDevice> host(Communicator& ranks) { return host_device(ranks, 1); }

// A device with a fault.
class Faulty final : public HostDeviceWith {
 public:
  Faulty(Communicator& ranks, std::string fault) : HostDeviceWith(ranks), fault_(std::move(fault)) {}
  void gather(const GatherWork& work) override {
    HostDeviceWith::gather(work);
    if (fault_ == "gather") work.batch_targets[0] = 1 - work.batch_targets[0];
  }
  void tally(const TallyWork& work) override {
    HostDeviceWith::tally(work);
    if (fault_ == "tally") ++work.counts[3];
  }
  void update(const UpdateWork& work) override {
    HostDeviceWith::update(work);
    if (fault_ == "update") work.weights[7] = std::nextafter(work.weights[7], 10.0f);
    if (fault_ == "chance" && work.verdict->good != 0) work.weights[0] += 1e-7f * static_cast<float>(++updates);
  }
  void all_reduce(float* values, size_t count, std::string_view what) override {
    HostDeviceWith::all_reduce(values, count, what);
    if (fault_ == "sum") values[0] += 1;
  }
  // Takes work down and does it when asked; with a fault, twice.
  bool record(const std::function<void()>& work) override {
    recorded_ = work;
    return true;
  }
  void replay() override {
    recorded_();
    if (fault_ == "replay") recorded_();
  }

  static inline int updates = 0;

 private:
  std::string fault_;
  std::function<void()> recorded_;
};

std::vector<std::string> failed_with(const std::string& fault) {
  const auto ranks = distributed::local_world(1);
  return failed(check_device(*ranks[0], [&](Communicator& among) { return std::make_unique<Faulty>(among, fault); }));
}

TEST(DeviceChecks, TheHostPassesAndSaysWhatWasNotRun) {
  const auto ranks = distributed::local_world(1);
  const auto findings = check_device(*ranks[0], host);
  EXPECT_THAT(failed(findings), testing::IsEmpty());
  std::vector<std::string> names, not_run;
  for (const Finding& finding : findings) {
    names.push_back(finding.name);
    if (finding.state == Finding::State::not_run) not_run.push_back(finding.name);
  }
  EXPECT_EQ(names, device_check_names());
  EXPECT_THAT(not_run, testing::ElementsAre("sum over ranks", "training, recorded graph", "dropout, clipping, AdamW",
                                            "overlap", "agreement of ranks"));
}

TEST(DeviceChecks, SeveralRanksPassWhatOneCannotTry) {
  distributed::run_local_ranks(2, [](Communicator& ranks) {
    const auto findings = check_device(ranks, host);
    EXPECT_THAT(failed(findings), testing::IsEmpty());
    for (const Finding& finding : findings) {
      if (finding.name == "sum over ranks" || finding.name == "agreement of ranks" || finding.name == "overlap") {
        EXPECT_EQ(finding.state, Finding::State::ok) << finding.name;
      }
    }
  });
}

TEST(DeviceChecks, AKernelThatErrsIsFoundOut) {
  EXPECT_THAT(failed_with("gather"), testing::Contains("kernel: gather"));
  EXPECT_THAT(failed_with("tally"), testing::Contains("kernels: tally and figures"));
  EXPECT_THAT(failed_with("update"), testing::Contains("kernels: norm and update"));
}

TEST(DeviceChecks, ADeviceThatRecordsIsComparedWithItsEagerSteps) {
  const auto ranks = distributed::local_world(1);
  const auto findings =
      check_device(*ranks[0], [](Communicator& among) { return std::make_unique<Faulty>(among, "none"); });
  EXPECT_THAT(failed(findings), testing::IsEmpty());
  for (const Finding& finding : findings) {
    if (finding.name == "training, recorded graph" || finding.name == "dropout, clipping, AdamW") {
      EXPECT_EQ(finding.state, Finding::State::ok) << finding.text;
    }
  }
  EXPECT_THAT(failed_with("replay"), testing::IsSupersetOf({"training, recorded graph", "dropout, clipping, AdamW"}));
}

TEST(DeviceChecks, ChanceInTheBitsIsFoundOut) {
  EXPECT_THAT(failed_with("chance"), testing::IsSupersetOf({"the same again", "resuming from a checkpoint"}));
}

TEST(DeviceChecks, AWrongSumOverRanksIsFoundOut) {
  distributed::run_local_ranks(2, [](Communicator& ranks) {
    EXPECT_THAT(failed(check_device(ranks, [](Communicator& among) { return std::make_unique<Faulty>(among, "sum"); })),
                testing::Contains("sum over ranks"));
  });
}

TEST(DeviceChecks, WithoutAGpuEachIsNotRun) {
  const auto ranks = distributed::local_world(1);
  const auto findings = check_gpus(*ranks[0], false);
  EXPECT_EQ(findings.size(), device_check_names().size() + 2);
  for (const Finding& finding : findings) EXPECT_EQ(finding.state, Finding::State::not_run);
}

}  // namespace
}  // namespace penstock::stages
