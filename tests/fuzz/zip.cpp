// A zip archive: its listing, its limits, its entries, and the samples that their names make. Every name stays within
// its folder, whatever a path of the program is made of it.
#include <set>

#include "fuzz/fuzzing.h"
#include "stages/archives/archive.h"
#include "stages/archives/catalogue.h"

namespace penstock::fuzz {
namespace {

using stages::Archive;
using Archives = std::vector<std::unique_ptr<Archive>>;

constexpr const char* name = "x.zip";
const stages::ArchiveLimits limits = {200, uint64_t{4} << 20, 200, 300, 3};

bool leads_out(const std::string& path) {
  if (path.empty() || path.front() == '/' || path.find('\0') != std::string::npos) return true;
  size_t begin = 0;
  for (size_t end = 0; end != std::string::npos; begin = end + 1) {
    end = path.find('/', begin);
    if (path.substr(begin, end - begin) == "..") return true;
  }
  return false;
}

void look_at_entries(const Archives& archives) {
  uint64_t total = 0, count = 0;
  for (const auto& archive : archives) {
    for (const auto& entry : archive->entries()) {
      total += entry.bytes;
      ++count;
      require(!leads_out(entry.name), "an entry's name stays within its archive");
      require(!leads_out(entry.place), "an entry's place stays within its input");
      require(distributed::is_utf8(entry.shown), "what is shown of an entry is UTF-8");
    }
  }
  require(total <= limits.bytes && count <= limits.entries, "archives keep their limits");
}

void read_entries(const Archives& archives) {
  for (const auto& archive : archives) {
    for (size_t i = 0; i < archive->entries().size(); ++i) {
      is_refused(ExitCode::data, name, [&] {
        require(archive->digest(i) == archive->digest(i), "an entry has one digest");
        const auto content = archive->read(i);
        require(content.size() == archive->entries()[i].bytes, "an entry has as many bytes as it says");
      });
    }
  }
}

void make_samples(const Archives& archives) {
  const stages::Catalogue catalogue = stages::make_catalogue(archives);
  std::set<std::string> ids;
  for (const auto& sample : catalogue.samples) {
    require(ids.insert(sample.id).second, "no two samples have one id");
    require(!leads_out(sample.id) && sample.id != "." && sample.id.find('/') == std::string::npos,
            "a sample's id is a file's name");
    require(distributed::is_utf8(sample.id), "a sample's id is UTF-8");
    require(
        sample.image.archive < archives.size() && sample.image.entry < archives[sample.image.archive]->entries().size(),
        "a sample's image is an entry");
  }
}

}  // namespace
}  // namespace penstock::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace penstock::fuzz;
  const auto file = scratch() / name;
  put(file, text_of(data, size));
  Archives archives;
  if (is_refused(penstock::ExitCode::data, name, [&] { archives = penstock::stages::open_archives(file, limits); }))
    return 0;
  look_at_entries(archives);
  read_entries(archives);
  // What it finds wrong with the names need not name the archive: it names the samples.
  is_refused(penstock::ExitCode::data, "", [&] { make_samples(archives); });
  return 0;
}
