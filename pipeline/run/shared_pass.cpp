#include "pipeline/run/shared_pass.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <bit>
#include <condition_variable>
#include <deque>
#include <optional>
#include <thread>

#include "distributed/check.h"
#include "distributed/printable.h"
#include "pipeline/interruption.h"
#include "pipeline/store/bucket_list.h"

namespace penstock::pipeline {
namespace {

using distributed::Communicator;
using distributed::Outcome;

constexpr int request_tag = 1;  // worker -> rank 0: the outcome of the last bucket, if any; requests the next
constexpr int answer_tag = 2;   // rank 0 -> worker t of a rank, tag answer_tag + t

struct Task {
  int bucket = -1;
  Digest key;
  std::vector<std::string> members;
};

// Runs one bucket into the store. Any rank, any thread.
Outcome work_on(const Task& task, SharedWork& work, int pass, Store& store) {
  std::filesystem::path staging;
  try {
    staging = store.make_chunk_staging(task.key);
    work.run_bucket(pass, task.members, staging);
    store.publish_chunk(staging, task.key);
    return {};
  } catch (...) {
    Outcome failure = distributed::current_failure();
    if (!staging.empty()) store.remove_staging(staging.parent_path());
    return failure;
  }
}

// Rank 0's list of what is left to do. Thread-safe.
class Dispenser {
 public:
  Dispenser(std::vector<Task> tasks, size_t of, Events& events, const std::atomic<bool>& interrupted)
      : tasks_(tasks.begin(), tasks.end()),
        done_(of - tasks.size()),
        of_(of),
        events_(events),
        interrupted_(interrupted) {}

  std::optional<Task> next() {
    const std::lock_guard lock(mutex_);
    if (interrupted_.load() && outcome_.code == ExitCode::done && !tasks_.empty()) {
      outcome_ = {ExitCode::interrupted, "interrupted; the buckets that are done are kept"};
    }
    if (outcome_.code != ExitCode::done || tasks_.empty()) return std::nullopt;
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    return task;
  }

  void record(int bucket, const Outcome& outcome) {
    const std::lock_guard lock(mutex_);
    if (outcome.code == ExitCode::done) {
      events_.emit("bucket", {{"done", ++done_}, {"of", of_}});
    } else if (outcome_.code == ExitCode::done || (failed_ >= 0 && bucket < failed_)) {
      outcome_ = outcome;  // of several, the first in bucket order, so that the same fault is quoted each time
      failed_ = bucket;
    }
  }

  Outcome outcome() {
    const std::lock_guard lock(mutex_);
    return outcome_;
  }

 private:
  std::mutex mutex_;
  std::deque<Task> tasks_;
  size_t done_;
  size_t of_;
  Events& events_;
  const std::atomic<bool>& interrupted_;
  Outcome outcome_;
  int failed_ = -1;
};

std::string to_text(const Task& task) {
  return Value{{"bucket", task.bucket}, {"key", task.key.hex()}, {"members", task.members}}.dump();
}

Task task_of(const std::string& text) {
  const Value json = Value::parse(text);
  return {json.at("bucket"), Digest::from_hex(json.at("key").get<std::string>()), json.at("members")};
}

// Answers the workers of other ranks until each has received the empty answer: nothing is left.
void serve(Communicator& service, Dispenser& dispenser, int remote_workers) {
  while (remote_workers > 0) {
    const distributed::Message message = service.receive(distributed::any_rank, request_tag);
    const Value request = Value::parse(message.bytes);
    if (const int bucket = request.at("bucket"); bucket >= 0) {
      dispenser.record(bucket, {static_cast<ExitCode>(request.at("code").get<int>()), request.at("message")});
    }
    const auto task = dispenser.next();
    service.send(message.from, answer_tag + request.at("worker").get<int>(), task ? to_text(*task) : "");
    remote_workers -= !task;
  }
}

void work_remotely(Communicator& service, int worker, SharedWork& work, int pass, Store& store) {
  int bucket = -1;
  Outcome outcome;
  for (;;) {
    service.send(0, request_tag,
                 Value{{"worker", worker},
                       {"bucket", bucket},
                       {"code", static_cast<int>(outcome.code)},
                       {"message", outcome.message}}
                     .dump());
    const std::string answer = service.receive(0, answer_tag + worker).bytes;
    if (answer.empty()) return;
    const Task task = task_of(answer);
    bucket = task.bucket;
    outcome = work_on(task, work, pass, store);
  }
}

// Every rank: all tasks are done when this returns, or none is being worked on any more.
void work_together(Communicator& service, Dispenser* dispenser, int threads, int remote_workers, SharedWork& work,
                   int pass, Store& store) {
  std::vector<std::thread> workers;
  for (int worker = 0; worker < threads; ++worker) {
    workers.emplace_back([&, worker] {
      if (dispenser == nullptr) return work_remotely(service, worker, work, pass, store);
      while (const auto task = dispenser->next()) dispenser->record(task->bucket, work_on(*task, work, pass, store));
    });
  }
  if (dispenser != nullptr) serve(service, *dispenser, remote_workers);
  for (std::thread& worker : workers) worker.join();
}

Digest chunk_key(const StageKind& kind, int pass, const Values& parameters, const ChunkKeys& keys,
                 const std::vector<std::string>& decisions, const Bucket& bucket) {
  KeyFields fields;
  fields.fields = {{"chunk of", kind.name}, {"version", int64_t{kind.version}}, {"pass", int64_t{pass}}};
  for (const auto& [name, value] : parameters) fields.fields.emplace_back("parameter " + name, value);
  for (const auto& [name, value] : keys.environment) fields.fields.emplace_back("environment " + name, value);
  for (const auto& [port, digest] : keys.inputs) fields.fields.emplace_back("input " + port, digest.hex());
  for (const std::string& decision : decisions) fields.fields.emplace_back("decision", decision);
  for (const Sample& sample : bucket.members) {
    Value parts = Value::array({sample.id});
    for (const auto& [port, digest] : sample.parts) {
      parts.push_back(port);
      parts.push_back(digest.hex());
    }
    fields.fields.emplace_back("sample", std::move(parts));
  }
  return fields.key();
}

// Rank 0's side of one pass.
struct PassPlan {
  std::vector<Bucket> buckets;
  std::vector<Digest> keys;
  std::vector<Task> missing;
};

std::vector<std::string> ids_of(const Bucket& bucket) {
  std::vector<std::string> ids;
  for (const Sample& sample : bucket.members) ids.push_back(sample.id);
  return ids;
}

PassPlan plan_pass(const StageKind& kind, SharedWork& work, int pass, const ChunkKeys& keys,
                   const std::vector<std::string>& decisions, const Store& store) {
  PassPlan plan;
  plan.buckets = make_buckets(work.samples(pass), work.samples_per_bucket());
  const Values parameters = work.parameters_of(pass).value_or(keys.parameters);
  for (size_t index = 0; index < plan.buckets.size(); ++index) {
    plan.keys.push_back(chunk_key(kind, pass, parameters, keys, decisions, plan.buckets[index]));
    if (!store.find_chunk(plan.keys.back())) {
      plan.missing.push_back({static_cast<int>(index), plan.keys.back(), ids_of(plan.buckets[index])});
    }
  }
  return plan;
}

std::string close_pass(SharedWork& work, int pass, const PassPlan& plan, const Store& store) {
  std::vector<SharedWork::Chunk> chunks;
  for (size_t index = 0; index < plan.buckets.size(); ++index) {
    const auto folder = store.find_chunk(plan.keys[index]);
    if (!folder) {
      throw Error(ExitCode::io, fmt::format("{}: this part has vanished or is damaged, a moment after it was there; is "
                                            "the disk failing, or was the store "
                                            "cleaned by hand? Run again",
                                            (store.root() / "chunks" / plan.keys[index].hex()).string()));
    }
    chunks.push_back({plan.buckets[index].name, ids_of(plan.buckets[index]), *folder});
  }
  return work.finish(pass, chunks);
}

// Runs `body` on rank 0; every rank gets its text, or its failure.
template <typename Body>
std::pair<Outcome, std::string> on_rank0(StageContext& context, const std::string& what, const Body& body) {
  Communicator& ranks = context.ranks;
  Outcome mine;
  std::string text;
  if (ranks.rank() == 0) {
    const auto doing = context.watch.alone(what);
    const Interruptible reads(context.interrupted);
    try {
      text = body();
    } catch (...) {
      mine = distributed::current_failure();
    }
  }
  const distributed::Agreed agreed = distributed::agree(ranks, mine, what);
  if (agreed.rank >= 0) return {agreed.outcome, ""};
  return {{}, distributed::broadcast_text(ranks, text, 0, what)};
}

}  // namespace

size_t bucket_count(size_t samples, int samples_per_bucket) {
  PENSTOCK_CHECK(samples_per_bucket >= 1, "a bucket holds at least one sample");
  return std::bit_ceil(std::max<size_t>((samples + samples_per_bucket - 1) / samples_per_bucket, 1));
}

std::vector<Bucket> make_buckets(std::vector<Sample> samples, int samples_per_bucket) {
  std::sort(samples.begin(), samples.end(), [](const Sample& a, const Sample& b) { return a.id < b.id; });
  for (size_t i = 1; i < samples.size(); ++i) {
    if (samples[i].id == samples[i - 1].id) {
      throw Error(ExitCode::data, fmt::format("two samples have the id '{}'; ids must differ",
                                              distributed::printable_name(samples[i].id)));
    }
  }
  const int bits = std::countr_zero(bucket_count(samples.size(), samples_per_bucket));
  std::map<uint64_t, Bucket> buckets;
  for (Sample& sample : samples) {
    const uint64_t hash = digest_of(sample.id).leading_bits();
    const uint64_t index = bits == 0 ? 0 : hash >> (64 - bits);
    Bucket& bucket = buckets[index];
    bucket.name = fmt::format("{:0{}x}", index, std::max(1, (bits + 3) / 4));
    bucket.members.push_back(std::move(sample));
  }
  std::vector<Bucket> all;
  for (auto& [index, bucket] : buckets) all.push_back(std::move(bucket));
  return all;
}

Outcome run_shared(const StageKind& kind, StageContext& context, Store& store, const ChunkKeys* keys) {
  Communicator& ranks = context.ranks;
  PENSTOCK_CHECK(context.threads >= 1, "every rank brings at least one worker");
  PENSTOCK_CHECK(ranks.rank() != 0 || keys != nullptr, "rank 0 knows the keys of the chunks");
  std::unique_ptr<StageBody> body;
  std::unique_ptr<SharedWork> work;
  Outcome opened;
  try {
    const Interruptible reads(context.interrupted);
    body = kind.body();
    work = body->share(context);
  } catch (...) {
    opened = distributed::current_failure();
  }
  if (const auto agreed = distributed::agree(ranks, opened, "opening " + context.stage); agreed.rank >= 0)
    return agreed.outcome;

  // Every rank's workers count: rank 0 answers each of them once more than it has work.
  int remote_workers = -context.threads;
  int64_t threads = context.threads;
  ranks.all_reduce(distributed::buffer_of(&threads, 1), "workers of " + context.stage);
  remote_workers += static_cast<int>(threads);
  const auto service = ranks.duplicate("the service of " + context.stage);

  std::vector<std::string> decisions;
  BucketList listed{context.stage, {}};  // rank 0's
  for (int pass = 0; pass < work->passes(); ++pass) {
    PassPlan plan;
    const auto [planned, none] = on_rank0(context, "planning " + context.stage, [&] {
      plan = plan_pass(kind, *work, pass, *keys, decisions, store);
      listed.chunks.insert(listed.chunks.end(), plan.keys.begin(), plan.keys.end());
      write_bucket_list(store, keys->action, listed);
      if (plan.missing.size() < plan.buckets.size() && !plan.missing.empty()) {
        spdlog::info("{}: {} of {} buckets are done already", context.stage, plan.buckets.size() - plan.missing.size(),
                     plan.buckets.size());
      }
      return std::string();
    });
    if (planned.code != ExitCode::done) return planned;

    std::optional<Dispenser> dispenser;
    if (ranks.rank() == 0) dispenser.emplace(plan.missing, plan.buckets.size(), context.events, context.interrupted);
    work_together(*service, dispenser ? &*dispenser : nullptr, context.threads, remote_workers, *work, pass, store);

    const auto [closed, decision] = on_rank0(context, "closing " + context.stage, [&] {
      if (const Outcome outcome = dispenser->outcome(); outcome.code != ExitCode::done)
        throw Error(outcome.code, outcome.message);
      return close_pass(*work, pass, plan, store);
    });
    if (closed.code != ExitCode::done) return closed;
    work->decided(pass, decision);
    decisions.push_back(decision);
  }
  return {};
}

}  // namespace penstock::pipeline
