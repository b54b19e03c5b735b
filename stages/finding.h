// What a check of the environment found (`penstock doctor`).
#pragma once

#include <functional>
#include <string>

namespace penstock::stages {

struct Finding {
  enum class State { ok, failed, not_run };
  State state = State::ok;
  std::string name;  // "NCCL"
  std::string text;  // "2.28.9, the one that LibTorch loads", or what is wrong and what to do
};

// What `check` returns as an ok finding; what it throws as a failed one.
Finding found(const std::string& name, const std::function<std::string()>& check);

}  // namespace penstock::stages
