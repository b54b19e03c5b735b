// The frame of every HTML file that Penstock writes: one file, one style, no script, nothing fetched. Pure functions.
#pragma once

#include <string>

namespace penstock::stages {

// `body` is HTML; the others are text.
std::string page(const std::string& title, const std::string& heading, const std::string& subtitle,
                 const std::string& body);

std::string section(const std::string& id, const std::string& title, const std::string& content);

}  // namespace penstock::stages
