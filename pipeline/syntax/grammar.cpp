#include "pipeline/syntax/grammar.h"

#include <algorithm>

#include "distributed/check.h"

namespace penstock::pipeline {

const Key& Keys::at(std::string_view name) const {
  const auto found = std::find_if(keys.begin(), keys.end(), [name](const Key& key) { return key.name == name; });
  PENSTOCK_CHECK(found != keys.end(), "a key that is read is in the grammar");
  return *found;
}

std::vector<std::string> Keys::names() const {
  std::vector<std::string> all;
  for (const Key& key : keys) all.push_back(key.name);
  return all;
}

const Keys& file_keys() {
  static const Keys all = {
      "the configuration",
      {{.name = "schema",
        .type = Type::integer,
        .about = {.help = "which grammar the file is written for: 1"},
        .required = true},
       {.name = "extends",
        .type = Type::word,
        .about = {.help = "a configuration file in the same folder, whose values this one overrides; one level"}},
       {.name = "pipeline", .form = "table", .about = {.help = "name, targets and store"}},
       {.name = "stage", .form = "table of tables", .about = {.help = "the stages, each a table [stage.NAME]"}},
       {.name = "matrix", .form = "table", .about = {.help = "runs that differ in some parameters"}}}};
  return all;
}

const Keys& pipeline_keys() {
  static const Keys all = {
      "[pipeline]",
      {{.name = "name",
        .type = Type::word,
        .about = {.help = "names the folder below runs/; the file's own name when it is not given"}},
       {.name = "targets",
        .type = Type::words,
        .about = {.help = "stages that `penstock run` builds when it is given none; every stage that no other takes "
                          "from when it is not given"}},
       {.name = "store",
        .type = Type::word,
        .fallback = ".penstock",
        .about = {.help = "folder of the cache, from the working directory; runs, users and nodes may share it",
                  .affects_output = false}}}};
  return all;
}

const Keys& stage_keys() {
  static const Keys all = {
      "a stage",
      {{.name = "uses", .type = Type::word, .about = {.help = "the stage kind; the stage's name when it is not given"}},
       {.name = "inputs",
        .form = "table",
        .about = {.help = "where each input comes from: \"stage.output\", \"file:PATH\", a table with `file`, or a "
                          "list of these"}},
       {.name = "needs",
        .type = Type::words,
        .about = {.help = "stages that must be done first, though nothing is taken from them",
                  .affects_output = false}},
       {.name = "resources",
        .form = "table",
        .about = {.help = "what one instance is to run on", .affects_output = false}},
       {.name = "retries",
        .type = Type::integer,
        .fallback = 0,
        .about =
            {.help = "how often a failure is tried again", .minimum = 0, .maximum = 100000, .affects_output = false}},
       {.name = "gate",
        .type = Type::boolean,
        .fallback = true,
        .about = {.help = "a refusal in the stage's verdict stops what comes after it", .affects_output = false}},
       {.name = "cacheable",
        .type = Type::boolean,
        .fallback = true,
        .about = {.help = "false: runs every time", .affects_output = false}},
       {.name = "resume",
        .type = Type::boolean,
        .fallback = true,
        .about = {.help = "false: an interrupted stage starts over instead of resuming", .affects_output = false}}}};
  return all;
}

const Keys& resources_keys() {
  static const Keys all = {"resources",
                           {{.name = "ranks",
                             .type = Type::integer,
                             .about = {.help = "ranks that one instance gets where several run side by side (-j)",
                                       .minimum = 1,
                                       .maximum = 100000,
                                       .affects_output = false}}}};
  return all;
}

const Keys& source_keys() {
  static const Keys all = {
      "an input",
      {{.name = "file",
        .type = Type::word,
        .about = {.help = "a file or folder, from the configuration's own folder"},
        .required = true},
       {.name = "sha256",
        .type = Type::word,
        .about = {.help = "the file's SHA-256, 64 hex digits: any other content is refused"}},
       {.name = "source",
        .type = Type::word,
        .about = {.help = "where to get the file; shown when it is missing", .affects_output = false}}}};
  return all;
}

const Keys& matrix_keys() {
  static const Keys all = {
      "[matrix]",
      {{.name = "axes",
        .form = "table",
        .about = {.help = "\"stage.parameter\" = [values]: every combination is a run"}},
       {.name = "zip",
        .form = "list of tables",
        .about = {.help = "columns of values that only make sense together, row by row; the rows are one more axis"}},
       {.name = "exclude",
        .form = "list of tables",
        .about = {.help = "removes the runs that have all of these values, at least one"}},
       {.name = "include",
        .form = "list of tables",
        .about = {.help = "adds one run; parameters that it does not name keep the value of their stage"}},
       {.name = "set",
        .form = "list of tables",
        .about = {.help = "changes the runs that match its condition, and adds none"}},
       {.name = "sample", .form = "table", .about = {.help = "draws some combinations instead of taking all"}},
       {.name = "seeds",
        .form = "table",
        .about = {.help = "replicates of every run; reported as mean and standard deviation"}},
       {.name = "early_stop",
        .form = "table, or its method alone",
        .about = {.help = "gives up the runs that do worse than the others"}},
       {.name = "max_runs",
        .type = Type::integer,
        .fallback = 1000,
        .about = {.help = "a matrix of more runs is refused", .minimum = 1, .affects_output = false}}}};
  return all;
}

const Keys& range_keys() {
  static const Keys all = {
      "an axis",
      {{.name = "uniform",
        .type = Type::numbers,
        .about = {.help = "[low, high]: every value in between is equally likely"}},
       {.name = "log_uniform",
        .type = Type::numbers,
        .about = {.help = "[low, high]: every factor in between is equally likely; low is above 0"}}}};
  return all;
}

const Keys& set_keys() {
  static const Keys all = {
      "[[matrix.set]]",
      {{.name = "when",
        .form = "table",
        .about = {.help =
                      "\"stage.parameter\" = value: the runs that have all of these; every run when it is not given"}},
       {.name = "set",
        .form = "table",
        .about = {.help = "\"stage.parameter\" = value: what these runs get"},
        .required = true}}};
  return all;
}

const Keys& sample_keys() {
  static const Keys all = {
      "[matrix.sample]",
      {{.name = "n",
        .type = Type::integer,
        .about = {.help = "how many different combinations are drawn; a larger n only adds runs", .minimum = 1},
        .required = true},
       {.name = "seed", .type = Type::integer, .fallback = 0, .about = {.help = "of the draw", .minimum = 0}}}};
  return all;
}

const Keys& seeds_keys() {
  static const Keys all = {"[matrix.seeds]",
                           {{.name = "path",
                             .type = Type::word,
                             .about = {.help = "the parameter that is the seed: \"train.seed\""},
                             .required = true},
                            {.name = "values",
                             .form = "list of values",
                             .about = {.help = "its values, one replicate each"},
                             .required = true}}};
  return all;
}

const Keys& early_stop_keys() {
  static const Keys all = {
      "[matrix.early_stop]",
      {{.name = "method",
        .type = Type::word,
        .fallback = "asha",
        .about = {.help = "asha: at min, min * eta, min * eta^2, ... units the best 1/eta continue; median: those not "
                          "worse than the median of the others' means",
                  .choices = {"asha", "median", "none"}}},
       {.name = "stage",
        .type = Type::word,
        .about = {.help = "the stage that reports scores while it runs; the only one when it is not given"}},
       {.name = "metric",
        .type = Type::word,
        .about = {.help = "the score that is compared; the stage's first when it is not given"}},
       {.name = "goal",
        .type = Type::word,
        .about = {.help = "whether a smaller or larger score is better; the metric's own when it is not given",
                  .choices = {"min", "max"}}},
       {.name = "min",
        .type = Type::integer,
        .fallback = 1,
        .about = {.help = "units (epochs) before the first decision", .minimum = 1}},
       {.name = "eta",
        .type = Type::integer,
        .fallback = 3,
        .about = {.help = "of asha: one run in so many continues", .minimum = 2}},
       {.name = "start_up",
        .type = Type::integer,
        .fallback = 3,
        .about = {.help = "of median: other runs that must have reached the unit", .minimum = 1}}}};
  return all;
}

}  // namespace penstock::pipeline
