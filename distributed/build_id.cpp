#include "distributed/build_id.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <link.h>

#include <cstring>
#include <string_view>

namespace penstock::distributed {
namespace {

// Adds the build id of one loaded object to the text at `text`.
int add_id(dl_phdr_info* object, size_t, void* text) {
  const std::string_view name = object->dlpi_name;
  if (!name.empty() && name.find("libpenstock.so") == std::string_view::npos) return 0;
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& part = object->dlpi_phdr[i];
    if (part.p_type != PT_NOTE) continue;
    // The loader gives addresses as numbers.  NOLINTNEXTLINE(performance-no-int-to-ptr)
    const auto* at = reinterpret_cast<const unsigned char*>(object->dlpi_addr + part.p_vaddr);
    const auto* end = at + part.p_memsz;
    const auto padded = [](size_t size) { return (size + 3) / 4 * 4; };
    while (at + sizeof(ElfW(Nhdr)) <= end) {
      ElfW(Nhdr) note;
      std::memcpy(&note, at, sizeof note);
      const unsigned char* id = at + sizeof note + padded(note.n_namesz);
      if (note.n_type == NT_GNU_BUILD_ID) {
        *static_cast<std::string*>(text) += fmt::format("{:02x}", fmt::join(id, id + note.n_descsz, ""));
      }
      at = id + padded(note.n_descsz);
    }
  }
  return 0;
}

}  // namespace

std::string build_id() {
  std::string text;
  dl_iterate_phdr(add_id, &text);
  return text;
}

}  // namespace penstock::distributed
