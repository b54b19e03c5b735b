// Which page of a file is the picture, where a file holds a stack of them (z slices, time points). A plain value.
#pragma once

#include <cstdint>
#include <string_view>

namespace penstock::stages {

struct PageChoice {
  enum class How {
    only,     // a file with several is refused, and the sentence names the key
    one,      // `number`
    maximum,  // over all pages, value by value
    mean,
  };
  How how = How::only;
  int64_t number = 0;  // from 1

  bool operator==(const PageChoice&) const = default;
};

// Throws Error(data) naming `what` and resize.page when `page` is not one of 1 to `pages`.
void check_page(int64_t page, int pages, std::string_view what);
// The same for a file of several `pages`, when `choice` does not say what to do with them, or says to project a mask.
void check_one_page(const PageChoice& choice, int pages, bool is_mask, std::string_view what);

}  // namespace penstock::stages
