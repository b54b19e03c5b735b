// Small pieces of HTML, for sections and pages. Pure functions; what returns HTML escapes its text itself, unless it
// says that its arguments are HTML already.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pipeline/value.h"
#include "stages/images/image.h"

namespace penstock::stages {

std::string escaped(std::string_view text);         // & < > " '
std::string text_of(const pipeline::Value& value);  // a text without quotes, anything else as JSON; not escaped
std::string base64(std::string_view bytes);
// <img> with the picture inside; `caption` becomes its alternative text.
std::string picture(const Image& image, std::string_view caption);
std::string picture_of_png(std::string_view png, std::string_view caption);

// 83.2 -> "1 min 23 s"; 0.314 -> "0.31 s".
std::string duration(double seconds);

// 0.98765 -> "0.9877"; null -> "–".
std::string figure(const pipeline::Value& number);
// "0.4298 (0.38 to 0.48)": figure `name` of a subset's scores, with its interval where they have one.
std::string figure_with_interval(const pipeline::Value& scores, const std::string& name);

// A number with its name below. `value` is HTML already.
std::string tile(const std::string& value, std::string_view name);

// A table whose first column is text and whose others are numbers. Cells are HTML already.
std::string table(const std::vector<std::string>& head, const std::vector<std::vector<std::string>>& rows);

}  // namespace penstock::stages
