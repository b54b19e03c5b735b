#include "pipeline/store/bucket_list.h"

#include "pipeline/files.h"
#include "pipeline/value.h"

namespace penstock::pipeline {
namespace {

namespace fs = std::filesystem;

}  // namespace

void write_bucket_list(const Store& store, const Digest& action, const BucketList& list) {
  Value chunks = Value::array();
  for (const Digest& chunk : list.chunks) chunks.push_back(chunk.hex());
  write_file(store.root() / "buckets" / action.hex(),
             Value{{"stage", list.stage}, {"chunks", std::move(chunks)}}.dump() + "\n");
}

std::map<Digest, BucketList> read_bucket_lists(const Store& store) {
  std::map<Digest, BucketList> lists;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(store.root() / "buckets", absent)) {
    try {
      const Value json = Value::parse(read_file(entry.path()));
      BucketList list{json.at("stage"), {}};
      for (const Value& chunk : json.at("chunks")) list.chunks.push_back(Digest::from_hex(chunk.get<std::string>()));
      lists.emplace(Digest::from_hex(entry.path().filename().string()), std::move(list));
    } catch (const std::exception&) {
      // Damaged, or not a list: its chunks then belong to no stage.
    }
  }
  return lists;
}

}  // namespace penstock::pipeline
