#include "stages/compute/scores/open_pieces.h"

#include <algorithm>
#include <utility>

#include "distributed/check.h"

namespace penstock::stages {
namespace {

std::vector<RowRun> runs_above(std::span<const float> row, float threshold) {
  std::vector<RowRun> runs;
  const auto size = static_cast<int>(row.size());
  for (int x = 0; x < size;) {
    if (!(row[x] > threshold)) {
      ++x;
      continue;
    }
    const int begin = x;
    while (x < size && row[x] > threshold) ++x;
    runs.push_back({begin, x});
  }
  return runs;
}

void take(Piece& to, Piece&& from) {
  to.left = std::min(to.left, from.left), to.top = std::min(to.top, from.top);
  to.right = std::max(to.right, from.right), to.bottom = std::max(to.bottom, from.bottom);
  to.pixels += from.pixels;
  const size_t before = to.values.size();
  to.values.insert(to.values.end(), from.values.begin(), from.values.end());
  for (Piece::Run run : from.runs) {
    run.values += before;
    to.runs.push_back(run);
  }
  from = {};
}

void sort_runs(Piece& piece) {
  std::sort(piece.runs.begin(), piece.runs.end(),
            [](const Piece::Run& a, const Piece::Run& b) { return std::pair(a.y, a.begin) < std::pair(b.y, b.begin); });
}

}  // namespace

size_t OpenPieces::root_of(size_t piece) {
  while (parent_[piece] != piece) piece = parent_[piece] = parent_[parent_[piece]];
  return piece;
}

// The smaller goes into the larger.
size_t OpenPieces::united(size_t one, size_t other) {
  if (one == other) return one;
  if (open_[one].pixels < open_[other].pixels) std::swap(one, other);
  take(open_[one], std::move(open_[other]));
  return parent_[other] = one;
}

void OpenPieces::add_run(Piece& piece, const RowRun& run, std::span<const float> values) const {
  if (piece.runs.empty()) piece.left = run.begin, piece.top = y_, piece.right = run.end;
  piece.left = std::min(piece.left, run.begin), piece.right = std::max(piece.right, run.end);
  piece.bottom = y_ + 1;
  piece.pixels += static_cast<size_t>(run.end - run.begin);
  piece.runs.push_back({y_, run.begin, run.end - run.begin, piece.values.size()});
  for (int plane = 0; plane < planes_; ++plane) {
    const auto part = values.subspan(static_cast<size_t>(plane) * width_ + run.begin, run.end - run.begin);
    piece.values.insert(piece.values.end(), part.begin(), part.end());
  }
}

std::vector<Piece> OpenPieces::add_row(std::span<const float> values) {
  PENSTOCK_CHECK(values.size() == static_cast<size_t>(width_) * planes_, "a row has a value a pixel and plane");
  constexpr auto none = static_cast<size_t>(-1);
  std::vector<RowRun> now = runs_above(values.first(static_cast<size_t>(width_)), threshold_);
  size_t first = 0;  // of the runs above that may still touch one of this row
  for (RowRun& run : now) {
    while (first < above_.size() && above_[first].end < run.begin) ++first;
    run.piece = none;
    for (size_t i = first; i < above_.size() && above_[i].begin <= run.end; ++i) {
      const size_t touched = root_of(above_[i].piece);
      run.piece = run.piece == none ? touched : united(run.piece, touched);
    }
    if (run.piece == none) {
      run.piece = open_.size();
      parent_.push_back(run.piece);
      open_.emplace_back();
    }
    add_run(open_[run.piece], run, values);
  }
  for (RowRun& run : now) run.piece = root_of(run.piece);
  above_ = std::move(now);
  ++y_;
  return take_untouched();
}

std::vector<Piece> OpenPieces::take_untouched() {
  std::vector<bool> touched(open_.size());
  for (const RowRun& run : above_) touched[run.piece] = true;
  std::vector<Piece> complete, still;
  std::vector<size_t> place(open_.size());
  for (size_t i = 0; i < open_.size(); ++i) {
    if (touched[i]) {
      place[i] = still.size();
      still.push_back(std::move(open_[i]));
    } else if (parent_[i] == i) {
      complete.push_back(std::move(open_[i]));
      sort_runs(complete.back());
    }
  }
  for (RowRun& run : above_) run.piece = place[run.piece];
  open_ = std::move(still);
  parent_.resize(open_.size());
  for (size_t i = 0; i < parent_.size(); ++i) parent_[i] = i;
  return complete;
}

std::vector<Piece> OpenPieces::finish() {
  above_.clear();
  return take_untouched();
}

size_t OpenPieces::open_pixels() const {
  size_t pixels = 0;
  for (const Piece& piece : open_) pixels += piece.pixels;
  return pixels;
}

}  // namespace penstock::stages
