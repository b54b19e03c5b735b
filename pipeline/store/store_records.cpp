// What a store keeps beside outputs: progress of unfinished stages, families, and the records of attempts.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "distributed/check.h"
#include "distributed/error.h"
#include "pipeline/files.h"
#include "pipeline/store/store.h"

namespace penstock::pipeline {
namespace {

namespace fs = std::filesystem;

// Of an attempt that was recorded; one more can be counted after it.
bool is_number(int number) { return number >= 1 && number < std::numeric_limits<int>::max() / 2; }

}  // namespace

fs::path Store::progress(const Digest& action) const {
  require_writable();
  const fs::path folder = root_ / "progress" / action.hex();
  make_folder(folder);
  return folder;
}

bool Store::has_progress(const Digest& action) const {
  std::error_code absent;
  return fs::directory_iterator(root_ / "progress" / action.hex(), absent) != fs::directory_iterator();
}

void Store::join_family(const Digest& family, const Digest& action) const {
  require_writable();
  const fs::path member = root_ / "families" / family.hex() / action.hex();
  if (fs::exists(member)) return;
  make_folder(member.parent_path());
  write_file(member, "");
}

std::vector<fs::path> Store::relatives(const Digest& family, const Digest& action) const {
  std::vector<fs::path> found;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(root_ / "families" / family.hex(), absent)) {
    const std::string name = entry.path().filename().string();
    if (name != action.hex() && fs::exists(root_ / "progress" / name)) found.push_back(root_ / "progress" / name);
  }
  std::sort(found.begin(), found.end());
  return found;
}

int Store::next_attempt(const Digest& action) const {
  const auto all = attempts(action);
  return all.empty() ? 1 : all.back().number + 1;
}

int Store::record_attempt(const Digest& action, Attempt attempt) const {
  require_writable();
  PENSTOCK_CHECK(attempt.number >= 1, "attempts are numbered from 1");
  const fs::path folder = root_ / "attempts" / action.hex();
  make_folder(folder);
  while (!publish_file(folder / fmt::format("{}.json", attempt.number), pipeline::to_json(attempt).dump() + "\n"))
    ++attempt.number;
  return attempt.number;
}

fs::path Store::record_nondeterminism(const Digest& action, const Value& record) const {
  require_writable();
  for (int number = 1;; ++number) {
    const fs::path file = root_ / "nondeterminism" / fmt::format("{}.{}.json", action.hex(), number);
    if (publish_file(file, record.dump() + "\n")) return file;
  }
}

std::vector<Attempt> Store::attempts(const Digest& action) const {
  std::vector<Attempt> found;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(root_ / "attempts" / action.hex(), absent)) {
    if (entry.path().extension() != ".json") continue;
    try {
      const Attempt attempt = attempt_from_json(Value::parse(read_file(entry.path())));
      if (is_number(attempt.number)) found.push_back(attempt);
    } catch (const std::exception&) {
      // A damaged record is left out.
    }
  }
  std::sort(found.begin(), found.end(), [](const Attempt& a, const Attempt& b) { return a.number < b.number; });
  return found;
}

}  // namespace penstock::pipeline
