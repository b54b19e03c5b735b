#include "launch/commands/first_configuration.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "distributed/error.h"
#include "pipeline/counted.h"

namespace penstock::launch {
namespace {

using pipeline::counted;
using pipeline::Value;

// A basic string of TOML, which JSON's strings are.
std::string quoted(const std::string& text) { return Value(text).dump(); }

// The lines of one stage, reasons above what they explain.
class Table {
 public:
  explicit Table(const std::string& name) : text_("\n[" + name + "]\n") {}
  Table& comment(const std::string& text) {
    text_ += "# " + text + "\n";
    return *this;
  }
  Table& set(const std::string& key, const std::string& value) {
    text_ += key + " = " + value + "\n";
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

int64_t median(std::vector<int64_t> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

// "8 (60 pictures), 16 (4 pictures)"
std::string counts_of(const Value& counts) {
  std::string text;
  for (const auto& [what, count] : counts.items())
    text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", what, counted(count, "picture"));
  return text;
}

constexpr int64_t depth = 4;
constexpr int64_t many_pictures = 100;
constexpr double least_touching = 0.01;  // of all objects; fewer are no reason to learn more than the mask
constexpr double least_dim = 0.05;       // likewise; fewer are no reason to spread dim values
// Of all crops: a training of some minutes on a few cores. configs/nuclei_quick.toml, from which the training is taken
// as it was measured there, sees a tenth more.
constexpr double wanted_pixels = 12000.0 * 256 * 256;

// What the measured numbers lead to.
class Choices {
 public:
  explicit Choices(const Value& survey) : survey_(survey), labelled_(survey.at("labelled")) {
    std::vector<int64_t> shorter, widths, heights;
    double area = 0;
    for (const Value& side : survey.at("sides")) {
      const int64_t width = side.at(0), height = side.at(1);
      widths.push_back(width), heights.push_back(height), shorter.push_back(std::min(width, height));
      area += static_cast<double>(width) * static_cast<double>(height);
    }
    const auto range = [](const std::vector<int64_t>& of) {
      const auto [least, most] = std::minmax_element(of.begin(), of.end());
      return *least == *most ? std::to_string(*least) : fmt::format("{} to {}", *least, *most);
    };
    const bool all = survey.at("looked_at") == survey.at("samples");
    sides_ = fmt::format("{} {} wide and {} high", all ? "Pictures are" : "Those decoded are", range(widths),
                         range(heights));
    diameter_ = survey.at("diameter");
    if (diameter_ > 64) wanted_diameter_ = 32;
    if (diameter_ > 0 && diameter_ < 8) wanted_diameter_ = 12;
    const double scale = wanted_diameter_ > 0 ? wanted_diameter_ / diameter_ : 1;
    const double side = static_cast<double>(median(shorter)) * scale;
    // Small crops bring more kinds of pictures into a step; objects and some of what is around them must fit.
    const bool large = diameter_ * scale > 40;
    crop_ = large && side >= 192 ? 256 : side >= 96 ? 128 : 64;
    const double crops =
        area / static_cast<double>(shorter.size()) * scale * scale / static_cast<double>(crop_ * crop_);
    crops_a_picture_ = std::max(1.0, crops);
    grey_ = survey.at("colour") == 0;
    for (const auto& [channels, count] : survey.at("channels").items()) {
      if (channels != "1" && channels != "3") many_channels_ = std::stoll(channels);
    }
    tested_ = labelled_ >= 10 ? 0.15 : 0;
    validated_ = labelled_ >= 10 ? 0.15 : labelled_ >= 3 ? 0.2 : 0;
  }

  std::string unzip(const FirstConfiguration& given) const {
    Table table("stage.unzip");
    table.comment(survey_.at("layout"));
    if (const std::string left = survey_.at("left_over"); !left.empty()) table.comment(left);
    table.set("inputs", fmt::format("{{ archive = {{ file = {} }} }}", quoted(given.input)));
    if (!given.images.empty()) table.set("images", quoted(given.images));
    if (!given.masks.empty()) table.set("masks", quoted(given.masks));
    return table.text();
  }

  std::string resize() const {
    Table table("stage.resize");
    table.set("inputs", "{ images = \"unzip.images\" }");
    table.comment(sides_ + ": each keeps its own size, and train takes crops.");
    table.set("mode", "\"native\"");
    if (wanted_diameter_ > 0) {
      table.comment(
          fmt::format("Objects have a median diameter of {:.0f} pixels, {} for the network: scaled to this one.",
                      diameter_, diameter_ > wanted_diameter_ ? "more than needed" : "too few"));
      table.set("object_diameter", fmt::format("{}", wanted_diameter_));
    } else {
      table.comment(fmt::format("Objects have a median diameter of {:.0f} pixels: no scaling needed.", diameter_));
    }
    if (many_channels_ > 0) {
      table.comment(
          fmt::format("Channels: {}. All are taken; name those that matter.", counts_of(survey_.at("channels"))));
      std::vector<std::string> numbers;
      for (int64_t c = 1; c <= many_channels_; ++c) numbers.push_back(std::to_string(c));
      table.set("channels_from", fmt::format("[{}]", fmt::join(numbers, ", ")));
      table.set("channels", std::to_string(many_channels_));
    } else {
      table.comment(fmt::format("Channels: {}; {}.", counts_of(survey_.at("channels")),
                                grey_ ? "no picture is coloured" : "there are coloured pictures"));
      table.set("channels", grey_ ? "1" : "3");
    }
    if (survey_.at("bits").contains("16")) {
      table.comment(
          fmt::format("Bits: {}. Samples keep them; 8 would take half the memory.", counts_of(survey_.at("bits"))));
      table.set("bits", "\"kept\"");
    }
    if (spreads_dim_values()) {
      table.comment(fmt::format(
          "{:.0f} % of the objects in pictures of more than 8 bits are less than 8 of 256 levels apart from the "
          "background; by the root of the values {:.0f} %.",
          100 * survey_.at("dim").get<double>(), 100 * survey_.at("dim_by_root").get<double>()));
      table.set("contrast", "\"root\"");
    }
    if (survey_.at("page") == "max") {
      table.comment("Files hold several pages: their maximum. \"mean\", or the number of a page, is as good a choice.");
      table.set("page", "\"max\"");
    }
    table.comment("Masks: " + survey_.at("masks").at("why").get<std::string>());
    table.set("masks", quoted(survey_.at("masks").at("meaning")));
    return table.text();
  }

  std::string inspect() const {
    return Table("stage.inspect")
        .comment("Looks at every picture and mask, and stops what follows where they cannot be meant.")
        .set("inputs", "{ images = \"unzip.images\", samples = \"resize.samples\" }")
        .text();
  }

  std::string split() const {
    Table table("stage.split");
    table.set("inputs", "{ shards = \"shard.shards\", metadata = \"inspect.metadata\" }");
    table.comment(fmt::format("{} with masks{}", counted(labelled_, "picture"),
                              validated_ == 0 ? ": too few to set any aside; nothing will say how good the model is"
                              : tested_ == 0  ? ": too few for a test subset of their own"
                                              : ""));
    table.set("validation", fmt::format("{}", validated_));
    table.set("test", fmt::format("{}", tested_));
    if (const Value& subsets = survey_.at("subsets"); !subsets.empty()) {
      table.comment(
          fmt::format("Folders of the data say {}; what they leave open is drawn from train.", counts_of(subsets)));
      table.set("by", "\"folders\"");
    } else if (validated_ > 0) {
      table.comment("Tiles and copies of one picture stay together, so that what is scored was never seen.");
      table.set("by", "\"group\"");
    }
    return table.text();
  }

  std::string train() const {
    const double trained = static_cast<double>(labelled_) * (1 - validated_ - tested_);
    const double wanted_crops = wanted_pixels / static_cast<double>(crop_ * crop_);
    const auto epochs = std::clamp<int64_t>(std::llround(wanted_crops / (trained * crops_a_picture_)), 10, 300);
    Table table("stage.train");
    table.set("inputs", "{ shards = \"shard.shards\", split = \"split.index\", metadata = \"inspect.metadata\" }");
    table.comment(fmt::format(
        "An object and some of what is around it, and not larger than most pictures; a multiple of {} (depth {}).",
        int64_t{1} << depth, depth));
    table.set("crop", std::to_string(crop_));
    table.comment(fmt::format("Foreground is {:.0f} % of the pixels: half of the crops lie around an object.",
                              100 * survey_.at("foreground").get<double>()));
    table.set("foreground", "0.5");
    if (const double touching = survey_.at("touching"); touching > least_touching) {
      table.comment(fmt::format(
          "{:.0f} % of the objects touch another: the network also learns the inside of each and the direction to its "
          "middle, by which eval tells them apart.",
          100 * touching));
      table.set("targets", "[\"mask\", \"interior\", \"horizontal\", \"vertical\"]");
    }
    if (const Value& looks = survey_.at("looks"); looks.size() > 1) {
      table.comment(fmt::format("Looks: {}. Rare ones are seen more often than their number says.", counts_of(looks)));
      table.set("balance", "\"look\"");
    }
    table.comment(
        "Wider networks (16, 32) are better where there are hours, or a GPU; twice as wide is four times as slow.");
    table.set("base_channels", "8").set("depth", std::to_string(depth));
    table.comment(fmt::format("Bits: {}. Pictures differ in brightness: each is scaled by its own percentiles.",
                              counts_of(survey_.at("bits"))));
    table.set("normalise", "\"percentile\"").set("percentiles", "{ low = 1, high = 99.8 }");
    table.comment(
        fmt::format("Each crop turned, scaled a little and changed in brightness{}: few pictures become many.",
                    grey_ || many_channels_ > 0 ? "" : " and colour"));
    table.set("augment", fmt::format("[\"flip\", \"rot90\", \"scale\", \"gamma\", \"gain\", \"offset\"{}]",
                                     grey_ || many_channels_ > 0 ? "" : ", \"colour\""));
    table.set("augmentation", "{ scale = 0.3 }");
    table.comment(fmt::format("About {:.0f} crops an epoch, some {:.0f} in all.",
                              std::max(1.0, trained * crops_a_picture_),
                              static_cast<double>(epochs) * trained * crops_a_picture_));
    table.set("epochs", std::to_string(epochs)).set("global_batch", crop_ == 256 ? "8" : "16");
    table.set("lr", "3e-3").set("schedule", "\"cosine\"").set("loss", "\"bce_dice\"");
    table.comment("The average of the weights over the last some 200 steps is what is validated and published.");
    table.set("ema", "0.995");
    table.comment("bfloat16 where the processor or the GPU has it.");
    table.set("precision", "\"auto\"").set("seed", "1");
    return table.text();
  }

  std::string eval() const {
    Table table("stage.eval");
    table.set("inputs",
              "{ model = \"train.model\", shards = \"shard.shards\", split = \"split.index\", metadata = "
              "\"inspect.metadata\" }");
    if (validated_ > 0) {
      table.comment("How objects that touch are told apart, and which are too small: what is best on validation.");
      table.set("decoder", "\"validation\"").set("minimum_area", "\"validation\"").set("holes", "\"validation\"");
    }
    table.comment(
        "Four views of each piece, averaged: four times the time of one. \"all\" is eight, and a little better.");
    table.set("turns", "\"flips\"");
    if (labelled_ > many_pictures && tested_ > 0) {
      table.comment("Train is most of the pictures, and chooses nothing.");
      table.set("subsets", "[\"validation\", \"test\"]");
    }
    return table.text();
  }

 private:
  // Root brings dim objects into the range at least twice as well.
  bool spreads_dim_values() const {
    const double dim = survey_.at("dim");
    return dim > least_dim && survey_.at("dim_by_root").get<double>() < dim / 2;
  }

  const Value& survey_;
  int64_t labelled_;
  std::string sides_;
  double diameter_ = 0, wanted_diameter_ = 0, crops_a_picture_ = 1;
  int64_t crop_ = 256, many_channels_ = 0;
  bool grey_ = false;
  double validated_ = 0, tested_ = 0;
};

constexpr const char* rest = R"(
[stage.shard]
inputs = { samples = "resize.samples" }
needs = ["inspect"]
)";

constexpr const char* end = R"(
[stage.report]
inputs = { curves = "train.curves", telemetry = "train.telemetry", model = "eval.model", metrics = "eval.metrics", predictions = "eval.predictions", data = "inspect.summary", gallery = "inspect.gallery", split = "split.index" }
)";

}  // namespace

std::string first_configuration(const FirstConfiguration& given, const Value& survey) {
  if (survey.at("labelled") == 0) {
    throw Error(ExitCode::data, fmt::format("{}: {}, none with a mask: there is nothing to train on. If the masks lie "
                                            "elsewhere, say where with --images and --masks",
                                            given.input, counted(survey.at("samples"), "picture")));
  }
  const Choices choices(survey);
  std::string text = fmt::format(
      "# Written by penstock init, which decoded {} of {}. Every value may be changed.\n"
      "schema = 1\n\n[pipeline]\nname = {}\ntargets = [\"report\"]\n",
      survey.at("looked_at").get<int64_t>(), counted(survey.at("samples"), "picture"), quoted(given.name));
  return text + choices.unzip(given) + choices.resize() + choices.inspect() + rest + choices.split() + choices.train() +
         choices.eval() + end;
}

}  // namespace penstock::launch
