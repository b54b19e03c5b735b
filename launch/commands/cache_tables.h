// Prints the results of `penstock cache ...`, as a table for people or as JSON.
#pragma once

#include <string>

#include "launch/job/options.h"
#include "pipeline/store/store_gc.h"
#include "pipeline/store/store_transfer.h"
#include "pipeline/store/store_verify.h"

namespace penstock::launch {

// `sort`: "size", "used" (the latest first), or empty: in the order of publication.
void print_inventory(const pipeline::Store& store, const pipeline::Inventory& inventory, const std::string& sort,
                     const OutputFlags& output);
void print_collection(const pipeline::Store& store, const pipeline::Collection& collection,
                      const pipeline::CollectionRequest& request, bool removed, const OutputFlags& output);
void print_verification(const pipeline::Store& store, const pipeline::Verification& found, bool repaired,
                        const OutputFlags& output);
void print_transfer(const pipeline::Store& to, const pipeline::Transferred& done, const OutputFlags& output);

std::string short_name(const pipeline::Digest& digest);  // as much of it as a person needs

}  // namespace penstock::launch
