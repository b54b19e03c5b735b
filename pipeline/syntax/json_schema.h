// A JSON Schema (draft 2020-12) of configuration files, made from the tables that parse them: editors complete and
// check with it while one types. It knows every key, type, default and range; what needs the whole file (names of
// stages, ports of upstreams, the matrix) only `penstock validate` knows.
#pragma once

#include "pipeline/stage.h"

namespace penstock::pipeline {

// The table of a stage is looked up by its `uses`, else by the stage's name.
Value json_schema(const StageTable& kinds);

}  // namespace penstock::pipeline
