#include "stages/audit/rules.h"

#include "stages/audit/finders.h"

namespace penstock::stages {

const std::vector<AuditRule>& audit_rules() {
  using namespace audit_finders;
  static const std::vector<AuditRule> all = {
      {"copies_differ", "copies of one picture with different masks", Severity::severe, 2, masks_differ},
      {"picture_is_mask", "a picture that is the mask of a sample", Severity::severe, 1, picture_is_mask},
      {"blank_labelled", "a picture without contrast, with objects: its grey values span at most the limit",
       Severity::severe, 1, blank_with_objects},
      {"copies", "pictures with the same pixels", Severity::warning, 2, copies},
      {"near_copies",
       "pictures that are alike but for brightness, noise, a turn or a mirror: their correlation is the limit or more",
       Severity::warning, least_likeness, near_copies},
      {"blank", "a picture without contrast: its grey values span at most the limit", Severity::warning, 1, blank},
      {"saturated", "the share of white pixels of a picture is over the limit", Severity::warning, 0.3, saturated},
      {"overlapping", "masks claim pixels twice: over this share of the labelled ones", Severity::warning, 0,
       overlapping},
      {"empty", "masks without a pixel, or a labelled sample without an object: more than the limit", Severity::warning,
       0, empty},
      {"in_pieces", "objects of several separate areas: more than the limit", Severity::warning, 0, in_pieces},
      {"tiny", "objects of under 4 pixels, or of under a hundredth of the median area: more than the limit",
       Severity::warning, 0, tiny},
      {"giant", "an object covers over this share of the image", Severity::warning, 0.5, giant},
      {"inverted", "more than half of the image and over this share of its border is labelled", Severity::warning, 0.8,
       inverted},
      {"unlike_otsu", "the labelled share differs from what Otsu's threshold gives by over the limit",
       Severity::warning, 0.4, unlike_otsu},
      {"shifted", "outlines lie this many pixels or more beside the picture's edges", Severity::warning, 3, shifted},
      {"with_holes", "objects around background of 4 pixels or more: more than the limit", Severity::note, 0,
       with_holes},
      {"odd_depth", "channels or bits differ from those that over this share of pictures have", Severity::note, 0.9,
       odd_depth},
      {"odd_size", "a size differs from that which over this share of pictures have", Severity::note, 0.9, odd_size},
      {"odd_look", "a look (fluorescence, brightfield, stained) differs from that of over this share of pictures",
       Severity::note, 0.9, odd_look},
      {"tiles", "pictures whose sides continue each other, of one larger picture", Severity::note, 2, tiles},
  };
  return all;
}

}  // namespace penstock::stages
