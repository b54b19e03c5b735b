#include "stages/images/tiff_codec.h"

#include <fmt/format.h>
#include <tiffio.h>

#include <algorithm>
#include <cstring>

#include "distributed/error.h"
#include "stages/images/tiff_axes.h"
#include "stages/images/tiff_pixels.h"

namespace penstock::stages {
namespace {

constexpr size_t most_directories = 100'000;

struct Directory {
  uint64_t offset = 0;
  uint32_t width = 0, height = 0;
  bool is_reduced = false;  // a smaller copy or a mask of another page
  uint64_t pixels() const { return uint64_t{width} * height; }
};

// The pages of full size, and what they are.
struct Stack {
  std::vector<Directory> planes;
  TiffAxes axes;
  std::vector<std::string> notes;
};

std::vector<Directory> directories_of(TiffFile& file) {
  std::vector<Directory> all;
  TIFF* tiff = file.handle();
  do {
    Directory directory;
    uint32_t kind = 0;
    uint16_t old_kind = 0;
    TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &directory.width);
    TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &directory.height);
    TIFFGetField(tiff, TIFFTAG_SUBFILETYPE, &kind);
    TIFFGetField(tiff, TIFFTAG_OSUBFILETYPE, &old_kind);
    directory.is_reduced = (kind & (FILETYPE_REDUCEDIMAGE | FILETYPE_MASK)) != 0 || old_kind == OFILETYPE_REDUCEDIMAGE;
    directory.offset = TIFFCurrentDirOffset(tiff);
    all.push_back(directory);
    if (all.size() > most_directories) file.refuse(fmt::format("it has more than {} pages", most_directories));
    if (TIFFLastDirectory(tiff)) return all;
  } while (TIFFReadDirectory(tiff) == 1);
  file.refuse(fmt::format("the directory of page {} cannot be read", all.size() + 1));
}

std::string description_of(TIFF* tiff) {
  const char* text = nullptr;
  return TIFFGetField(tiff, TIFFTAG_IMAGEDESCRIPTION, &text) == 1 && text != nullptr ? text : "";
}

void set_directory(TiffFile& file, const Directory& directory) {
  if (TIFFSetSubDirectory(file.handle(), directory.offset) != 1) file.refuse("a page's directory cannot be read");
}

// Reduced copies and masks of pages are no pages; of pages that differ in size the largest are taken.
void keep_full_size(Stack& stack) {
  auto& planes = stack.planes;
  const size_t before = planes.size();
  const bool first_is_reduced = planes.front().is_reduced;
  if (std::any_of(planes.begin(), planes.end(), [](const Directory& plane) { return !plane.is_reduced; }))
    std::erase_if(planes, [](const Directory& plane) { return plane.is_reduced; });
  const Directory largest = *std::max_element(
      planes.begin(), planes.end(), [](const Directory& a, const Directory& b) { return a.pixels() < b.pixels(); });
  const size_t unmarked = planes.size();
  std::erase_if(planes,
                [&](const Directory& plane) { return plane.width != largest.width || plane.height != largest.height; });
  if (first_is_reduced && planes.size() < before)
    stack.notes.emplace_back("its first page is marked as a reduced copy: the full-size page is taken");
  if (planes.size() < unmarked) {
    stack.notes.push_back(fmt::format("{} of its {} pages are smaller than {} x {} and left out",
                                      unmarked - planes.size(), unmarked, largest.width, largest.height));
  }
}

// ImageJ's large stacks: one directory, and the other planes' bytes behind those of the first.
bool lies_behind_first(TiffFile& file, const Stack& stack, int planes) {
  TIFF* tiff = file.handle();
  uint16_t compression = COMPRESSION_NONE;
  TIFFGetFieldDefaulted(tiff, TIFFTAG_COMPRESSION, &compression);
  return stack.planes.size() == 1 && planes > 1 && compression == COMPRESSION_NONE && TIFFIsTiled(tiff) == 0;
}

Stack stack_of(TiffFile& file) {
  Stack stack;
  stack.planes = directories_of(file);
  keep_full_size(stack);
  set_directory(file, stack.planes.front());
  const std::string description = description_of(file.handle());
  const int behind = planes_of_imagej(description);
  int planes = static_cast<int>(stack.planes.size());
  if (lies_behind_first(file, stack, behind)) planes = behind;
  if (const auto axes = axes_in(description, planes)) {
    stack.axes = *axes;
  } else {
    stack.axes.pages = planes;
    for (int i = 0; i < planes; ++i) stack.axes.planes.push_back(i);
  }
  return stack;
}

// The `plane`th picture behind the only directory's.
RawPixels read_behind(TiffFile& file, const Stack& stack, int plane, bool as_labels) {
  set_directory(file, stack.planes.front());
  TIFF* tiff = file.handle();
  const uint64_t first = TIFFGetStrileOffset(tiff, 0);
  const uint64_t size = static_cast<uint64_t>(TIFFScanlineSize(tiff)) * stack.planes.front().height;
  const uint64_t at = first + size * static_cast<uint64_t>(plane);
  if (size == 0 || at > file.bytes().size() || size > file.bytes().size() - at)
    file.refuse(fmt::format("it ends before plane {} of {}", plane + 1, stack.axes.planes.size()));
  file.look_behind(first, size, at - first);
  set_directory(file, stack.planes.front());
  RawPixels raw = read_tiff_pixels(file, as_labels);
  file.look_behind(0, 0, 0);
  return raw;
}

RawPixels read_plane(TiffFile& file, const Stack& stack, int plane, bool as_labels) {
  if (stack.planes.size() == 1 && stack.axes.planes.size() > 1) return read_behind(file, stack, plane, as_labels);
  set_directory(file, stack.planes[static_cast<size_t>(plane)]);
  return read_tiff_pixels(file, as_labels);
}

// Channels that lie in planes of their own become interleaved.
RawPixels read_page(TiffFile& file, const Stack& stack, int page, bool as_labels) {
  const int channels = stack.axes.channels;
  RawPixels result = read_plane(file, stack, stack.axes.plane(page, 0), as_labels);
  if (channels == 1) return result;
  if (result.channels != 1)
    file.refuse(fmt::format("planes of {} channels each that are {} channels are not read", result.channels, channels));
  check_size(result.width, result.height, channels, file.what());
  const size_t value_bytes = static_cast<size_t>(result.bits) / 8, pixels = result.values();
  std::vector<uint8_t> all(pixels * value_bytes * channels);
  for (int c = 0; c < channels; ++c) {
    const RawPixels plane = c == 0 ? result : read_plane(file, stack, stack.axes.plane(page, c), as_labels);
    if (plane.bits != result.bits || plane.kind != result.kind || plane.bytes.size() != result.bytes.size())
      file.refuse(fmt::format("its channels 1 and {} differ in size or type", c + 1));
    for (size_t i = 0; i < pixels; ++i)
      std::memcpy(&all[(i * channels + c) * value_bytes], &plane.bytes[i * value_bytes], value_bytes);
  }
  result.bytes = std::move(all);
  result.channels = channels;
  result.measured = true;
  return result;
}

RawPixels read_chosen(TiffFile& file, const PageChoice& choice, bool as_labels) {
  const Stack stack = stack_of(file);
  const int pages = stack.axes.pages;
  const size_t channels = static_cast<size_t>(stack.axes.channels);
  if (channels > static_cast<size_t>(max_channels))
    file.refuse(fmt::format("{} channels are refused (1 to {})", channels, max_channels));
  RawPixels raw;
  if (choice.how == PageChoice::How::one || pages == 1) {
    // A flat mask belongs to whichever page of its image is chosen.
    const int64_t page = choice.how == PageChoice::How::one && !(as_labels && pages == 1) ? choice.number : 1;
    check_page(page, pages, file.what());
    raw = read_page(file, stack, static_cast<int>(page - 1), as_labels);
  } else {
    check_one_page(choice, pages, as_labels, file.what());
    Projector projector(choice.how == PageChoice::How::maximum ? Projection::maximum : Projection::mean);
    for (int page = 0; page < pages; ++page) projector.add(read_page(file, stack, page, false), file.what());
    raw = projector.finish();
  }
  raw.notes.insert(raw.notes.begin(), stack.notes.begin(), stack.notes.end());
  return raw;
}

bool is_tiff(std::span<const uint8_t> bytes) {
  if (bytes.size() <= 8) return false;
  const auto begins = [&](const char* mark) { return std::memcmp(bytes.data(), mark, 4) == 0; };
  return begins("II*\0") || begins("MM\0*") || begins("II+\0") || begins("MM\0+");
}

Image decode_tiff(std::span<const uint8_t> bytes, std::string_view what, const PageChoice& page) {
  TiffFile file(bytes, what);
  return to_image(read_chosen(file, page, false), what);
}

LabelsImage decode_tiff_labels(std::span<const uint8_t> bytes, std::string_view what, const PageChoice& page) {
  TiffFile file(bytes, what);
  return to_labels(read_chosen(file, page, true), what);
}

}  // namespace

const ImageFormat tiff_format = {"TIFF", {".tif", ".tiff"}, is_tiff, decode_tiff, decode_tiff_labels};

}  // namespace penstock::stages
