#include "stages/compute/data/resize_image.h"

#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "distributed/check.h"

namespace penstock::stages {
namespace {

int interpolation(const cv::Mat& from, int width, int height) {
  return from.cols >= width && from.rows >= height ? cv::INTER_AREA : cv::INTER_LINEAR;
}

// OpenCV averages areas of at most four channels at once; each is resized on its own, so apart they give the same.
void resize_channels(const cv::Mat& from, cv::Mat& to) {
  const int way = interpolation(from, to.cols, to.rows);
  if (from.channels() <= 4) {
    cv::resize(from, to, to.size(), 0, 0, way);
    return;
  }
  for (int c = 0; c < from.channels(); ++c) {
    cv::Mat one, resized;
    cv::extractChannel(from, one, c);
    cv::resize(one, resized, to.size(), 0, 0, way);
    cv::insertChannel(resized, to, c);
  }
}

// OpenCV would start threads of its own beside the workers.
void one_thread() {
  static const bool once = (cv::setNumThreads(1), true);
  (void)once;
}

}  // namespace

Image to_grid(const Image& picture, int width, int height) {
  one_thread();
  check_whole(picture);
  PENSTOCK_CHECK(width > 0 && height > 0, "a grid has pixels");
  const int type = CV_MAKETYPE(picture.bits == 8 ? CV_8U : CV_16U, picture.channels);
  const cv::Mat from(picture.height, picture.width, type, const_cast<uint8_t*>(picture.bytes.data()));
  Image grid{width, height, picture.channels, picture.bits, {}, picture.measured};
  grid.bytes.resize(grid.values() * static_cast<size_t>(picture.bits / 8));
  cv::Mat to(height, width, type, grid.bytes.data());
  resize_channels(from, to);
  return grid;
}

std::vector<uint8_t> mask_on_grid(const LabelMap& map, int width, int height, double coverage) {
  one_thread();
  PENSTOCK_CHECK(map.labels.size() == static_cast<size_t>(map.width) * map.height, "a label map has a value a pixel");
  if (map.width == width && map.height == height) {  // whatever the coverage, and without the floats of a large picture
    std::vector<uint8_t> mask(map.labels.size());
    for (size_t i = 0; i < mask.size(); ++i) mask[i] = map.labels[i] != 0;
    return mask;
  }
  cv::Mat covered(map.height, map.width, CV_32FC1);
  for (size_t i = 0; i < map.labels.size(); ++i) covered.ptr<float>()[i] = map.labels[i] != 0 ? 1.0f : 0.0f;
  cv::Mat shares;
  cv::resize(covered, shares, cv::Size(width, height), 0, 0, interpolation(covered, width, height));
  std::vector<uint8_t> mask(static_cast<size_t>(width) * height);
  const auto needed = static_cast<float>(coverage - 1e-6);
  for (size_t i = 0; i < mask.size(); ++i) mask[i] = shares.ptr<float>()[i] >= needed;
  return mask;
}

std::vector<float> resize_probability(const std::vector<float>& probability, int grid_width, int grid_height, int width,
                                      int height) {
  one_thread();
  PENSTOCK_CHECK(probability.size() == static_cast<size_t>(grid_width) * grid_height && width > 0 && height > 0,
                 "a probability map has a value for each pixel of its grid");
  const cv::Mat from(grid_height, grid_width, CV_32FC1, const_cast<float*>(probability.data()));
  std::vector<float> native(static_cast<size_t>(width) * height);
  cv::Mat to(height, width, CV_32FC1, native.data());
  cv::resize(from, to, to.size(), 0, 0, cv::INTER_LINEAR);
  return native;
}

}  // namespace penstock::stages
