// The finders of the audit's rules: pure functions from the audited set and the rule's limit to findings. rules.cpp has
// the table; each finder says what its number is.
#pragma once

#include <vector>

#include "stages/audit/audit.h"

namespace penstock::stages::audit_finders {

using Found = std::vector<AuditFinding>;

// One picture. Numbers: its grey values' range; the share of white pixels.
Found blank_with_objects(const AuditedSet& set, double limit);
Found blank(const AuditedSet& set, double limit);
Found saturated(const AuditedSet& set, double limit);

// One mask. Numbers: pixels claimed twice as a share of the labelled ones; masks; objects; objects; objects; a share of
// the image; a share of the border.
Found overlapping(const AuditedSet& set, double limit);
Found empty(const AuditedSet& set, double limit);
Found in_pieces(const AuditedSet& set, double limit);
Found with_holes(const AuditedSet& set, double limit);
Found tiny(const AuditedSet& set, double limit);
Found giant(const AuditedSet& set, double limit);
Found inverted(const AuditedSet& set, double limit);

// A mask and its picture. Numbers: the difference of two shares; pixels.
Found unlike_otsu(const AuditedSet& set, double limit);
Found shifted(const AuditedSet& set, double limit);

// Several pictures. Numbers: pictures; pictures; pictures; a correlation; pictures.
Found masks_differ(const AuditedSet& set, double limit);
Found picture_is_mask(const AuditedSet& set, double limit);
Found copies(const AuditedSet& set, double limit);
Found near_copies(const AuditedSet& set, double limit);
Found tiles(const AuditedSet& set, double limit);

// A picture and the rest. Numbers: the share of pictures that are as most are.
Found odd_depth(const AuditedSet& set, double limit);
Found odd_size(const AuditedSet& set, double limit);
Found odd_look(const AuditedSet& set, double limit);

}  // namespace penstock::stages::audit_finders
