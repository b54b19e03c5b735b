// doctor: whether every rank's machine can run Penstock.
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "distributed/collectives.h"
#include "launch/commands/commands.h"
#include "launch/commands/doctor.h"
#include "launch/job/job.h"
#include "stages/compute_library.h"
#include "stages/cuda_library.h"

namespace penstock::launch {
namespace {

namespace fs = std::filesystem;
using stages::Finding;

void append(std::vector<Finding>& findings, std::vector<Finding> more) {
  for (Finding& finding : more) findings.push_back(std::move(finding));
}

std::vector<Finding> check_libraries() {
  std::vector<Finding> findings;
  const Finding opened = stages::found("LibTorch", [&] {
    findings = stages::compute_library().check_libraries(fs::temp_directory_path());
    return std::string();
  });
  return findings.empty() ? std::vector{opened} : findings;
}

// Collective.
std::vector<Finding> check_gpus(Job& job) {
  const auto missing = stages::missing_gpus(*job.ranks);
  bool every = true;
  for (const std::string& reason : missing) every = every && reason.empty();
  std::vector<Finding> findings;
  if (every)
    findings = stages::cuda_library().examine(*job.ranks);
  else
    findings = {{Finding::State::failed, "GPU",
                 missing[job.world.rank].empty() ? "another rank has none" : missing[job.world.rank]}};
  const Finding compared = stages::found("GPU against CPU", [&] {
    append(findings, stages::compute_library().check_gpus(*job.ranks, every));
    return std::string();
  });
  if (compared.state == Finding::State::failed) findings.push_back(compared);
  return findings;
}

int doctor_command(bool gpu, const OutputFlags& output) {
  Job job = join(output, nullptr);
  return speaking_on_rank0(job, [&] {
    const auto doing = job.watch->alone("doctor");
    std::vector<Finding> findings = check_machine(job.world, distributed::process_environment());
    append(findings, check_libraries());
    append(findings, check_disk("."));
    if (gpu) append(findings, check_gpus(job));
    // A failure on any rank counts; rank 0's findings are shown, and the failures of others.
    std::string mine;
    for (const Finding& finding : findings) {
      if (finding.state == Finding::State::failed)
        mine += (mine.empty() ? "" : "; ") + finding.name + ": " + finding.text;
    }
    const auto all = distributed::gather_texts(*job.ranks, mine, "what failed");
    bool fit = true;
    for (size_t rank = 0; rank < all.size(); ++rank) {
      fit = fit && all[rank].empty();
      if (rank > 0 && !all[rank].empty())
        findings.push_back({Finding::State::failed, "rank " + std::to_string(rank), all[rank]});
    }
    if (job.world.rank == 0) std::cout << (output.json ? as_json(findings) : as_text(findings)) << std::flush;
    return fit ? 0 : static_cast<int>(ExitCode::environment);
  });
}

}  // namespace

void add_doctor(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand(
      "doctor", "is this machine fit: cores, memory, MPI, LibTorch, HDF5, disk; under mpirun on every rank");
  const auto gpu = std::make_shared<bool>(false);
  command->add_flag("--gpu", *gpu,
                    "also every check of the GPUs: driver, NCCL, kernels and training against the host, speed");
  command->callback([gpu, &context] { context.code = doctor_command(*gpu, context.output); });
}

}  // namespace penstock::launch
