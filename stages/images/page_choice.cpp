#include "stages/images/page_choice.h"

#include <fmt/format.h>

#include "distributed/error.h"

namespace penstock::stages {

void check_page(int64_t page, int pages, std::string_view what) {
  if (page >= 1 && page <= pages) return;
  throw Error(ExitCode::data, fmt::format("{}: has {} page{}, and resize.page asks for page {}", what, pages,
                                          pages == 1 ? "" : "s", page));
}

void check_one_page(const PageChoice& choice, int pages, bool is_mask, std::string_view what) {
  if (is_mask) {
    throw Error(ExitCode::data,
                fmt::format("{}: a mask of {} pages is not read; save one label image, or one file an object{}", what,
                            pages, choice.how == PageChoice::How::only ? "; or choose a page with resize.page" : ""));
  }
  if (choice.how == PageChoice::How::only) {
    throw Error(ExitCode::data, fmt::format("{}: is a stack of {} pages; choose with resize.page: a page (1 to {}), or "
                                            "\"max\" or \"mean\" over all of them",
                                            what, pages, pages));
  }
}

}  // namespace penstock::stages
