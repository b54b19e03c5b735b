// Samples whose files cannot be read: what a stage does about them (its parameter `on_bad`), and the list of those that
// it leaves out. A sample is left out as a whole, also where one mask of many is broken: a picture with half of its
// objects would teach that the others are background.
//
// A chunk says which of its members it leaves out in a file of its own, which is there only where there are any. So
// data without bad files give the same bytes whatever `on_bad` says, and a change of it prepares no bucket again.
#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "distributed/error.h"
#include "pipeline/parameters.h"
#include "pipeline/stage.h"

namespace penstock::stages {

enum class OnBad { fail, quarantine };

// The parameter `on_bad` of a stage whose list is in `list`, a file's name. `bad` says in words what it judges.
pipeline::About about_on_bad(const std::string& bad, const std::string& list);
OnBad on_bad_named(std::string_view name);

// Why a sample is to be left out: what `read` throws as Error(data), where bad samples are left out; else nothing.
// `read` is to do nothing but read files of the user's: an interruption, lack of memory, a device's error and a failed
// check are no fault of theirs and are thrown on. Any thread.
template <typename Read>
std::optional<std::string> fault_in(OnBad on_bad, const Read& read) {
  try {
    read();
    return std::nullopt;
  } catch (const Error& error) {
    if (on_bad == OnBad::fail || error.code() != ExitCode::data) throw;
    return error.what();
  }
}

struct BadSample {
  std::string id, entry, reason;  // entry: the image's name in its source
};
using BadSamples = std::vector<BadSample>;

// Into a chunk's folder; nothing where there are none.
void write_bad(const std::filesystem::path& chunk, const BadSamples& bad);
// Those of the chunks. Throws Error(data) with the first one's reason where bad samples are not to be left out: their
// chunk was made when they were.
BadSamples bad_in(const std::vector<pipeline::SharedWork::Chunk>& chunks, OnBad on_bad);

// Rank 0, of all `samples` samples: one warning in the log, and "quarantined": [{"id", "entry", "reason"}], sorted by
// id, in `index`, which will be written as `list`; nothing of both where there are none. Throws Error(data) where no
// sample is left.
void put_bad(pipeline::Value& index, BadSamples bad, size_t samples, const std::string& stage, const std::string& list);

// What put_bad put there; an empty list where it put nothing.
pipeline::Value quarantined_in(const pipeline::Value& index);

// Of an index that is made of another one: "left_out", the ids that either of them quarantined, sorted; nothing where
// there are none. A list of the user's may still name them.
void put_left_out(pipeline::Value& index, const pipeline::Value& before);
std::set<std::string> left_out_of(const pipeline::Value& index);

}  // namespace penstock::stages
