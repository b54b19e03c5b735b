#include "pipeline/config/matrix_size.h"

#include "pipeline/counted.h"

namespace penstock::pipeline {
namespace {

uint64_t times(uint64_t a, uint64_t b) { return a != 0 && b > uncountable / a ? uncountable : a * b; }

}  // namespace

uint64_t combinations_before_excludes(const MatrixDraft& matrix) {
  if (matrix.sample) return static_cast<uint64_t>(matrix.sample->n);
  if (matrix.factors.empty()) return matrix.includes.empty() && matrix.seeds ? 1 : 0;
  uint64_t all = 1;
  for (const Factor& factor : matrix.factors) all = times(all, factor.rows.size());
  return all;
}

uint64_t runs_of(const MatrixDraft& matrix, uint64_t kept) {
  const uint64_t points = kept == uncountable ? kept : kept + matrix.includes.size();
  return times(points, matrix.seeds ? matrix.seeds->rows.size() : 1);
}

std::string text_of_count(uint64_t number) { return number == uncountable ? "more than 10^19" : with_commas(number); }

}  // namespace penstock::pipeline
