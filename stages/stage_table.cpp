#include "stages/kinds.h"

namespace penstock::stages {

const pipeline::StageTable& stage_table() {
  static const pipeline::StageTable table = {
      synthesize_kind(), unzip_kind(),    resize_kind(), inspect_kind(), shard_kind(),   split_kind(),
      train_kind(),      ensemble_kind(), eval_kind(),   report_kind(),  command_kind(),
  };
  return table;
}

}  // namespace penstock::stages
