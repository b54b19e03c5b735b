#include "stages/images/png_filters.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <cstdlib>
#include <cstring>

namespace penstock::stages {
namespace {

uint8_t paeth(int a, int b, int c) {
  const int p = a + b - c;
  const int pa = std::abs(p - a), pb = std::abs(p - b), pc = std::abs(p - c);
  return static_cast<uint8_t>(pa <= pb && pa <= pc ? a : pb <= pc ? b : c);
}

bool unfilter_any(int filter, const uint8_t* in, const uint8_t* up, uint8_t* out, size_t size, size_t step) {
  switch (filter) {
    case 0:
      std::memcpy(out, in, size);
      return true;
    case 1:
      for (size_t i = 0; i < size; ++i) out[i] = static_cast<uint8_t>(in[i] + (i < step ? 0 : out[i - step]));
      return true;
    case 2:
      for (size_t i = 0; i < size; ++i) out[i] = static_cast<uint8_t>(in[i] + up[i]);
      return true;
    case 3:
      for (size_t i = 0; i < size; ++i)
        out[i] = static_cast<uint8_t>(in[i] + ((i < step ? 0 : out[i - step]) + up[i]) / 2);
      return true;
    case 4:
      for (size_t i = 0; i < size; ++i) {
        out[i] = static_cast<uint8_t>(in[i] + (i < step ? up[i] : paeth(out[i - step], up[i], up[i - step])));
      }
      return true;
    default:
      return false;
  }
}

#ifdef __SSE2__
// A pixel of three or four bytes at a time: each depends on the one before it, its bytes on no other.
template <size_t Step>
__m128i pixel_at(const uint8_t* at) {
  int bytes = 0;
  std::memcpy(&bytes, at, Step);
  return _mm_cvtsi32_si128(bytes);
}

template <size_t Step>
void put_pixel(uint8_t* to, __m128i pixel) {
  const int bytes = _mm_cvtsi128_si32(pixel);
  std::memcpy(to, &bytes, Step);
}

template <size_t Step>
void unfilter_sub(const uint8_t* in, uint8_t* out, size_t size) {
  __m128i left = _mm_setzero_si128();
  for (size_t i = 0; i < size; i += Step) {
    left = _mm_add_epi8(left, pixel_at<Step>(in + i));
    put_pixel<Step>(out + i, left);
  }
}

template <size_t Step>
void unfilter_average(const uint8_t* in, const uint8_t* up, uint8_t* out, size_t size) {
  __m128i left = _mm_setzero_si128();
  for (size_t i = 0; i < size; i += Step) {
    const __m128i above = pixel_at<Step>(up + i);
    // The instruction rounds up, PNG down.
    const __m128i odd = _mm_and_si128(_mm_xor_si128(left, above), _mm_set1_epi8(1));
    const __m128i mean = _mm_sub_epi8(_mm_avg_epu8(left, above), odd);
    left = _mm_add_epi8(mean, pixel_at<Step>(in + i));
    put_pixel<Step>(out + i, left);
  }
}

__m128i absolute(__m128i words) { return _mm_max_epi16(words, _mm_sub_epi16(_mm_setzero_si128(), words)); }

__m128i chosen(__m128i where, __m128i one, __m128i other) {
  return _mm_or_si128(_mm_and_si128(where, one), _mm_andnot_si128(where, other));
}

// With words of 16 bits: a - c is what the estimate a + b - c is away from b, and so on.
template <size_t Step>
void unfilter_paeth(const uint8_t* in, const uint8_t* up, uint8_t* out, size_t size) {
  const __m128i zero = _mm_setzero_si128();
  __m128i a = zero, c = zero;  // to the left, and above that
  for (size_t i = 0; i < size; i += Step) {
    const __m128i b = _mm_unpacklo_epi8(pixel_at<Step>(up + i), zero);
    const __m128i to_a = _mm_sub_epi16(b, c), to_b = _mm_sub_epi16(a, c);
    const __m128i pa = absolute(to_a), pb = absolute(to_b), pc = absolute(_mm_add_epi16(to_a, to_b));
    const __m128i least = _mm_min_epi16(pc, _mm_min_epi16(pa, pb));
    const __m128i nearest = chosen(_mm_cmpeq_epi16(least, pa), a, chosen(_mm_cmpeq_epi16(least, pb), b, c));
    const __m128i pixel = _mm_add_epi8(_mm_packus_epi16(nearest, nearest), pixel_at<Step>(in + i));
    put_pixel<Step>(out + i, pixel);
    a = _mm_unpacklo_epi8(pixel, zero);
    c = b;
  }
}

template <size_t Step>
bool unfilter_pixels(int filter, const uint8_t* in, const uint8_t* up, uint8_t* out, size_t size) {
  if (filter == 1)
    unfilter_sub<Step>(in, out, size);
  else if (filter == 3)
    unfilter_average<Step>(in, up, out, size);
  else if (filter == 4)
    unfilter_paeth<Step>(in, up, out, size);
  else
    return unfilter_any(filter, in, up, out, size, Step);
  return true;
}
#endif

}  // namespace

bool unfilter(int filter, const uint8_t* in, const uint8_t* up, uint8_t* out, size_t size, size_t step) {
#ifdef __SSE2__
  if (step == 3) return unfilter_pixels<3>(filter, in, up, out, size);
  if (step == 4) return unfilter_pixels<4>(filter, in, up, out, size);
#endif
  return unfilter_any(filter, in, up, out, size, step);
}

}  // namespace penstock::stages
