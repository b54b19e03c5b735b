// synthesize: an archive of artificial nuclei in the layout of the 2018 Data Science Bowl, for trying things out.
//
// Three looks, as in the real data: bright nuclei on black (fluorescence), dark on white (brightfield), purple on pink
// (stained tissue). Nuclei touch, light is uneven, pixels are noisy, sizes differ. The same parameters give the same
// bytes.
#include <fmt/format.h>
#include <zip.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "distributed/check.h"
#include "distributed/error.h"
#include "stages/draws.h"
#include "stages/images/png_codec.h"
#include "stages/kinds.h"
#include "stages/rehearsal.h"

namespace penstock::stages {
namespace {

struct SynthesizeParameters {
  int64_t count = 128;
  int64_t seed = 2018;
  double unlabelled = 0;

  void describe(pipeline::ParameterVisitor& visit) {
    visit("count", count, {.help = "number of images", .minimum = 1, .maximum = 100000});
    visit("seed", seed, {.help = "seed of every random draw", .minimum = 0});
    visit("unlabelled", unlabelled, {.help = "share of images without masks", .minimum = 0, .maximum = 0.9});
  }
};

// A blob whose radius varies with the angle: an ellipse with two harmonics.
struct Nucleus {
  double x, y, a, b, angle, wobble2, phase2, wobble3, phase3, brightness;

  // Below 1 inside, 1 on the edge.
  double distance(double px, double py) const {
    const double dx = px - x, dy = py - y;
    const double u = (dx * std::cos(angle) + dy * std::sin(angle)) / a;
    const double v = (-dx * std::sin(angle) + dy * std::cos(angle)) / b;
    const double theta = std::atan2(v, u);
    return std::hypot(u, v) / (1 + wobble2 * std::cos(2 * theta + phase2) + wobble3 * std::cos(3 * theta + phase3));
  }
  double reach() const { return 1.3 * std::max(a, b) + 2; }
};

struct Look {
  std::array<double, 3> background;
  std::array<double, 3> nucleus;
  double noise;
  double uneven;  // how much the light falls off to one side
};

constexpr std::array<Look, 3> looks = {{
    {{14, 14, 14}, {165, 165, 165}, 5, 0.35},    // fluorescence
    {{226, 226, 226}, {96, 96, 96}, 5, 0.12},    // brightfield
    {{232, 190, 214}, {112, 66, 148}, 8, 0.10},  // stained
}};

constexpr std::array<std::pair<int, int>, 5> sizes = {{{128, 128}, {160, 128}, {192, 192}, {256, 192}, {256, 256}}};

std::string hex_id(int64_t seed, std::string_view what, int64_t sample, int64_t object) {
  return pipeline::Hasher().field("synthetic id").field(seed).field(what).field(sample).field(object).finish().hex();
}

Nucleus draw_nucleus(const Draws& draws, uint64_t at, int width, int height, double radius) {
  const auto between = [&](int draw, double low, double high) { return draws.between(at * 16 + draw, low, high); };
  const double a = radius * between(0, 0.75, 1.25);
  return {.x = between(1, 0, width),
          .y = between(2, 0, height),
          .a = a,
          .b = a * between(3, 0.62, 1.0),
          .angle = between(4, 0, std::numbers::pi),
          .wobble2 = between(5, 0, 0.08),
          .phase2 = between(6, 0, 6.28),
          .wobble3 = between(7, 0, 0.07),
          .phase3 = between(8, 0, 6.28),
          .brightness = between(9, 0.7, 1.15)};
}

class Scene {
 public:
  Scene(const SynthesizeParameters& parameters, int64_t index)
      : draws_(parameters.seed, "scene", {index}),
        look_(looks[draws_.below(0, looks.size())]),
        stained_(&look_ == &looks[2]) {
    std::tie(width, height) = sizes[draws_.below(1, sizes.size())];
    if (draws_.uniform(2) < 0.5) std::swap(width, height);
    labels.resize(static_cast<size_t>(width) * height);
    place_nuclei();
  }

  Image image() const {
    Image picture{width, height, 4, 8, {}};
    picture.bytes.resize(picture.values());
    const double direction = draws_.between(4, 0, 2 * std::numbers::pi);
    const Draws noise(static_cast<int64_t>(draws_.bits(5) >> 1), "noise");
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        const size_t pixel = static_cast<size_t>(y) * width + x;
        const double side = (x * std::cos(direction) / width + y * std::sin(direction) / height);  // -1 .. 1
        const double light = 1 + look_.uneven * 0.5 * side;
        const double coverage = coverage_[pixel];
        const double texture = stained_ ? 6 * std::sin(x * 0.21 + y * 0.13) : 0;
        for (int c = 0; c < 3; ++c) {
          const double clean =
              look_.background[c] * (1 - coverage) + look_.nucleus[c] * coverage + texture * (1 - coverage);
          const double grain = look_.noise * noise.normal(stained_ ? pixel * 3 + c : pixel * 3);
          picture.bytes[pixel * 4 + c] = static_cast<uint8_t>(std::clamp(std::lround(clean * light + grain), 0L, 255L));
        }
        picture.bytes[pixel * 4 + 3] = 255;
      }
    }
    return picture;
  }

  Image mask(int object) const {
    PENSTOCK_CHECK(object >= 1 && object <= objects, fmt::format("an object is one of {}, is {}", objects, object));
    Image picture{width, height, 1, 8, std::vector<uint8_t>(labels.size())};
    for (size_t i = 0; i < labels.size(); ++i) picture.bytes[i] = labels[i] == object ? 255 : 0;
    return picture;
  }

  int width = 0, height = 0;
  int objects = 0;
  std::vector<int> labels;  // 0 background, 1..objects

 private:
  void place_nuclei() {
    coverage_.resize(labels.size());
    const double radius = draws_.between(3, 7, 15);
    const double area = std::numbers::pi * radius * radius * 0.8;
    const int wanted = std::max(3, static_cast<int>(draws_.between(6, 0.10, 0.32) * width * height / area));
    const Draws places(static_cast<int64_t>(draws_.bits(7) >> 1), "nuclei");
    for (int attempt = 0; objects < wanted && attempt < 8 * wanted; ++attempt) {
      add(draw_nucleus(places, static_cast<uint64_t>(attempt), width, height, radius));
    }
  }

  // A nucleus may touch others, and lose a little to them, but not lie on them.
  void add(const Nucleus& nucleus) {
    std::vector<size_t> own;
    size_t taken = 0;
    const int reach = static_cast<int>(nucleus.reach());
    const auto each = [&](const auto& visit) {
      for (int y = std::max(0, static_cast<int>(nucleus.y) - reach);
           y < std::min(height, static_cast<int>(nucleus.y) + reach + 1); ++y) {
        for (int x = std::max(0, static_cast<int>(nucleus.x) - reach);
             x < std::min(width, static_cast<int>(nucleus.x) + reach + 1); ++x) {
          visit(static_cast<size_t>(y) * width + x, nucleus.distance(x, y));
        }
      }
    };
    each([&](size_t pixel, double distance) {
      if (distance > 1) return;
      if (labels[pixel] == 0)
        own.push_back(pixel);
      else
        ++taken;
    });
    if (own.size() < 24 || taken * 12 > own.size()) return;
    ++objects;
    for (const size_t pixel : own) labels[pixel] = objects;
    const double steepness = 0.55 * nucleus.b;  // the edge blurs over about two pixels
    each([&](size_t pixel, double distance) {
      const double inside = nucleus.brightness / (1 + std::exp((distance - 1) * steepness * 4));
      coverage_[pixel] = std::max(coverage_[pixel], std::min(inside * (1.05 - 0.12 * distance), 1.2));
    });
  }

  Draws draws_;
  const Look& look_;
  bool stained_;
  std::vector<double> coverage_;
};

// Writes files that all carry the same date, so that bytes repeat.
class ZipWriter {
 public:
  explicit ZipWriter(const std::filesystem::path& path) : path_(path.string()) {
    int problem = 0;
    zip_ = zip_open(path_.c_str(), ZIP_CREATE | ZIP_EXCL, &problem);
    if (zip_ == nullptr) throw Error(ExitCode::cannot_create, path_ + ": cannot be created");
  }
  ~ZipWriter() {
    if (zip_ != nullptr) zip_discard(zip_);
  }
  ZipWriter(const ZipWriter&) = delete;
  ZipWriter& operator=(const ZipWriter&) = delete;

  void add(const std::string& name, const std::string& bytes) {
    void* copy = malloc(bytes.size());
    PENSTOCK_CHECK(copy != nullptr, fmt::format("malloc gives {} bytes for an entry of the archive", bytes.size()));
    std::copy(bytes.begin(), bytes.end(), static_cast<char*>(copy));
    zip_source_t* source = zip_source_buffer(zip_, copy, bytes.size(), 1);
    const zip_int64_t index = zip_file_add(zip_, name.c_str(), source, ZIP_FL_ENC_UTF_8);
    if (index < 0) fail();
    zip_set_file_compression(zip_, static_cast<zip_uint64_t>(index), ZIP_CM_STORE, 0);  // PNG is packed already
    zip_file_set_dostime(zip_, static_cast<zip_uint64_t>(index), 0, (2018 - 1980) << 9 | 1 << 5 | 16, 0);
  }
  void close() {
    if (zip_close(zip_) != 0) fail();
    zip_ = nullptr;
  }

 private:
  [[noreturn]] void fail() const { throw Error(ExitCode::io, path_ + ": " + zip_strerror(zip_)); }

  std::string path_;
  zip_t* zip_;
};

void synthesize(pipeline::StageContext& context) {
  const auto parameters = pipeline::read_parameters<SynthesizeParameters>(context.values);
  ZipWriter zip(context.output("archive") / "archive.zip");
  for (int64_t index = 0; index < parameters.count; ++index) {
    if (context.interrupted.load())
      throw Error(ExitCode::interrupted, fmt::format("interrupted at image {} of {}", index, parameters.count));
    const Scene scene(parameters, index);
    const std::string id = hex_id(parameters.seed, "image", index, 0);
    zip.add(id + "/images/" + id + ".png", encode_png(scene.image()));
    if (Draws(parameters.seed, "unlabelled", {index}).uniform(0) < parameters.unlabelled) continue;
    for (int object = 1; object <= scene.objects; ++object) {
      zip.add(id + "/masks/" + hex_id(parameters.seed, "mask", index, object) + ".png", encode_png(scene.mask(object)));
    }
  }
  zip.close();
}

}  // namespace

pipeline::StageKind synthesize_kind() {
  pipeline::StageKind kind;
  kind.name = "synthesize";
  kind.summary = "draws an archive of artificial nuclei with masks, for trying things out";
  kind.outputs = {{.name = "archive", .help = "archive.zip in the layout <id>/images/<id>.png, <id>/masks/<hash>.png"}};
  kind.parameters = pipeline::specifications_of<SynthesizeParameters>();
  kind.rehearsal = {{"count", rehearsed_samples}};
  kind.body = [] { return pipeline::body_of(synthesize); };
  return kind;
}

}  // namespace penstock::stages
