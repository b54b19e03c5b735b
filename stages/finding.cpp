#include "stages/finding.h"

#include <exception>

namespace penstock::stages {

Finding found(const std::string& name, const std::function<std::string()>& check) {
  try {
    return {Finding::State::ok, name, check()};
  } catch (const std::exception& error) {
    return {Finding::State::failed, name, error.what()};
  }
}

}  // namespace penstock::stages
