#include "stages/images/raw_pixels.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <utility>

#include "distributed/check.h"
#include "distributed/error.h"

namespace penstock::stages {
namespace {

template <typename T>
std::span<T> values_as(RawPixels& raw) {
  PENSTOCK_CHECK(raw.bytes.size() == raw.values() * sizeof(T), "pixels fill their size");
  return {reinterpret_cast<T*>(raw.bytes.data()), raw.values()};
}

// Calls `visit` with the values in their own type.
template <typename Visit>
auto with_values(RawPixels& raw, const Visit& visit) {
  if (raw.kind == ValueKind::real) return raw.bits == 64 ? visit(values_as<double>(raw)) : visit(values_as<float>(raw));
  const bool with_sign = raw.kind == ValueKind::signed_whole;
  switch (raw.bits) {
    case 8:
      return with_sign ? visit(values_as<int8_t>(raw)) : visit(values_as<uint8_t>(raw));
    case 16:
      return with_sign ? visit(values_as<int16_t>(raw)) : visit(values_as<uint16_t>(raw));
    case 32:
      return with_sign ? visit(values_as<int32_t>(raw)) : visit(values_as<uint32_t>(raw));
    default:
      PENSTOCK_CHECK(raw.bits == 64, "pixels have 8, 16, 32 or 64 bits");
      return with_sign ? visit(values_as<int64_t>(raw)) : visit(values_as<uint64_t>(raw));
  }
}

template <typename T>
bool finite(T value) {
  if constexpr (std::is_floating_point_v<T>) return std::isfinite(value);
  return true;
}

template <typename T>
struct Extent {
  T low = 0, high = 0;
  size_t not_finite = 0;
};

template <typename T>
Extent<T> extent_of(std::span<const T> values, std::string_view what) {
  Extent<T> extent{std::numeric_limits<T>::max(), std::numeric_limits<T>::lowest(), 0};
  for (const T value : values) {
    if (!finite(value)) {
      ++extent.not_finite;
      continue;
    }
    extent.low = std::min(extent.low, value);
    extent.high = std::max(extent.high, value);
  }
  if (extent.not_finite == values.size())
    throw Error(ExitCode::data, fmt::format("{}: none of its {} values is a finite number", what, values.size()));
  return extent;
}

// The range that to_image states: that of all finite values, or narrower where a few lie far outside.
template <typename T>
ValueRange range_of(std::span<const T> values, const Extent<T>& extent) {
  const ValueRange whole{static_cast<double>(extent.low), static_cast<double>(extent.high)};
  std::vector<T> sorted;
  sorted.reserve(values.size());
  std::copy_if(values.begin(), values.end(), std::back_inserter(sorted), [](T value) { return finite(value); });
  const auto at = [&](double share) {
    const auto place = sorted.begin() + static_cast<ptrdiff_t>(share * static_cast<double>(sorted.size() - 1) + 0.5);
    std::nth_element(sorted.begin(), place, sorted.end());
    return static_cast<double>(*place);
  };
  const double low = at(0.001), high = at(0.999);
  const double span = high - low;
  if (span <= 0 || span * 64 >= whole.high - whole.low) return whole;
  return {std::max(whole.low, low - span), std::min(whole.high, high + span)};
}

Image empty_like(RawPixels& raw, int bits) {
  Image image{raw.width, raw.height, raw.channels, bits, {}, raw.measured, {}, std::move(raw.notes)};
  image.bytes.resize(image.values() * (bits / 8));
  return image;
}

// Values minus `base` as T, none lost.
template <typename T, typename From>
Image moved(RawPixels& raw, std::span<const From> values, int64_t base) {
  if constexpr (std::is_same_v<T, From>) {
    if (base == 0) {  // the bytes themselves, which may be many
      Image same{raw.width, raw.height, raw.channels, sizeof(T) * 8, {}, raw.measured, {}, std::move(raw.notes)};
      same.bytes = std::move(raw.bytes);
      return same;
    }
  }
  Image image = empty_like(raw, sizeof(T) * 8);
  auto* out = reinterpret_cast<T*>(image.bytes.data());
  for (size_t i = 0; i < values.size(); ++i)
    out[i] = static_cast<T>(static_cast<uint64_t>(values[i]) - static_cast<uint64_t>(base));
  if (base != 0) {
    const auto low = static_cast<double>(base);
    image.range = ValueRange{low, low + static_cast<double>(std::numeric_limits<T>::max())};
  }
  return image;
}

template <typename T>
Image mapped(RawPixels& raw, std::span<const T> values, const Extent<T>& extent) {
  const ValueRange range = range_of(values, extent);
  Image image = empty_like(raw, 16);
  auto* out = reinterpret_cast<uint16_t*>(image.bytes.data());
  // Halves: the distance of two finite doubles may be infinite.
  const double half = range.high / 2 - range.low / 2;
  for (size_t i = 0; i < values.size(); ++i) {
    const auto value = static_cast<double>(values[i]);
    const double place = half > 0 && !std::isnan(value) ? (value / 2 - range.low / 2) / half : 0;
    out[i] = static_cast<uint16_t>(std::lround(std::clamp(place, 0.0, 1.0) * 65535));
  }
  image.range = range;
  if (extent.not_finite > 0) {
    image.notes.push_back(fmt::format("{} of {} values are NaN or infinite: filled with the lowest or highest value",
                                      extent.not_finite, values.size()));
  }
  return image;
}

Image scaled_up(RawPixels& raw) {
  Image image = empty_like(raw, 8);
  const unsigned most = (1u << raw.depth) - 1;
  for (size_t i = 0; i < image.bytes.size(); ++i)
    image.bytes[i] = static_cast<uint8_t>(std::min<unsigned>(raw.bytes[i], most) * 255u / most);
  return image;
}

template <typename T>
Image image_of(RawPixels& raw, std::span<const T> values, std::string_view what) {
  if constexpr (std::is_same_v<T, uint8_t> || std::is_same_v<T, uint16_t>) {
    if (sizeof(T) == 1 && raw.depth < 8) return scaled_up(raw);
    return moved<T>(raw, values, 0);
  } else {
    const Extent<T> extent = extent_of(values, what);
    if constexpr (std::is_integral_v<T>) {
      const bool negative = extent.low < T{0};
      using Small = std::conditional_t<sizeof(T) == 1, uint8_t, uint16_t>;
      if (!negative && static_cast<uint64_t>(extent.high) <= 65535) return moved<Small>(raw, values, 0);
      if (sizeof(T) <= 2) return moved<Small>(raw, values, std::numeric_limits<T>::min());
      const uint64_t span = static_cast<uint64_t>(extent.high) - static_cast<uint64_t>(extent.low);
      const bool exact = negative || static_cast<uint64_t>(extent.low) <= uint64_t{1} << 62;
      if (span <= 65535 && exact) return moved<uint16_t>(raw, values, static_cast<int64_t>(extent.low));
    }
    return mapped(raw, values, extent);
  }
}

template <typename T>
bool is_id(T value) {
  if constexpr (std::is_floating_point_v<T>)
    return value >= 0 && value <= 4294967295.0 && std::trunc(value) == value;
  else if constexpr (std::is_signed_v<T>)
    return value >= 0 && static_cast<uint64_t>(value) <= 4294967295u;
  else
    return static_cast<uint64_t>(value) <= 4294967295u;
}

template <typename T>
void copy_ids(std::span<const T> values, std::vector<uint32_t>& ids, std::string_view what) {
  ids.reserve(values.size());
  for (const T value : values) {
    if (!is_id(value)) {
      throw Error(
          ExitCode::data,
          fmt::format("{}: holds the value {}; the numbers of a mask are whole, 0 to 4294967295", what, +value));
    }
    ids.push_back(static_cast<uint32_t>(value));
  }
}

}  // namespace

Image to_image(RawPixels raw, std::string_view what) {
  return with_values(raw, [&]<typename T>(std::span<T> values) { return image_of<T>(raw, values, what); });
}

LabelsImage to_labels(RawPixels raw, std::string_view what) {
  const int depth = raw.depth;
  if (raw.channels > 1) {
    const Image image = to_image(std::move(raw), what);
    if (image.range) {
      throw Error(ExitCode::data,
                  fmt::format("{}: a mask of {} channels holds whole numbers of 8 or 16 bits; this has others", what,
                              image.channels));
    }
    LabelsImage labels = labels_from(image, what);
    labels.bits = depth;
    return labels;
  }
  LabelsImage labels{raw.width, raw.height, depth, false, raw.palette, {}, {}, std::move(raw.notes)};
  with_values(raw, [&]<typename T>(std::span<T> values) { copy_ids<T>(values, labels.values, what); });
  return labels;
}

void Projector::add(RawPixels page, std::string_view what) {
  if (values_.empty()) {
    values_.assign(page.values(), std::numeric_limits<double>::quiet_NaN());
    counts_.assign(projection_ == Projection::mean ? page.values() : 0, 0);
    first_ = std::move(page);
    first_.bytes.swap(page.bytes);
  } else if (page.width != first_.width || page.height != first_.height || page.channels != first_.channels ||
             page.kind != first_.kind || page.bits != first_.bits) {
    throw Error(
        ExitCode::data,
        fmt::format("{}: its pages differ ({} x {} pixels of {} bits, {} x {} of {}), so there is no maximum or "
                    "mean of them; choose one",
                    what, first_.width, first_.height, first_.bits, page.width, page.height, page.bits));
  }
  RawPixels shape = first_;
  shape.bytes = std::move(page.bytes);
  with_values(shape, [&]<typename T>(std::span<T> values) {
    for (size_t i = 0; i < values.size(); ++i) {
      const auto value = static_cast<double>(values[i]);
      if (std::isnan(value)) continue;
      double& sum = values_[i];
      if (projection_ == Projection::maximum)
        sum = std::isnan(sum) ? value : std::max(sum, value);
      else
        sum = counts_[i]++ == 0 ? value : sum + value;
    }
  });
}

RawPixels Projector::finish() {
  PENSTOCK_CHECK(!values_.empty(), "a projection has at least one page");
  RawPixels result = std::move(first_);
  result.bytes.resize(result.values() * (result.bits / 8));
  with_values(result, [&]<typename T>(std::span<T> values) {
    for (size_t i = 0; i < values.size(); ++i) {
      const double value = projection_ == Projection::mean && counts_[i] > 0 ? values_[i] / counts_[i] : values_[i];
      if constexpr (std::is_integral_v<T>)
        values[i] = static_cast<T>(std::nearbyint(value));
      else
        values[i] = static_cast<T>(value);
    }
  });
  return result;
}

}  // namespace penstock::stages
