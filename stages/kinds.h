// The built-in stage kinds, in the order of a pipeline. Each is defined in the file of its name; declaring a kind opens
// no heavy library. A new kind: one file, one line here, one in stage_table.cpp, one test.
#pragma once

#include "pipeline/stage.h"

namespace penstock::stages {

pipeline::StageKind synthesize_kind();
pipeline::StageKind unzip_kind();
pipeline::StageKind resize_kind();
pipeline::StageKind inspect_kind();
pipeline::StageKind shard_kind();
pipeline::StageKind split_kind();
pipeline::StageKind train_kind();
pipeline::StageKind ensemble_kind();
pipeline::StageKind eval_kind();
pipeline::StageKind report_kind();
pipeline::StageKind command_kind();

// All of them. A user's program appends rows of its own.
const pipeline::StageTable& stage_table();

}  // namespace penstock::stages
