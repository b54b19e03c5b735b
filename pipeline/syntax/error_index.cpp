#include "pipeline/syntax/error_index.h"

#include <algorithm>

namespace penstock::pipeline {

const std::vector<Rule>& rules() {
  static const std::vector<Rule> all = {
      {"E101", "the file is not TOML",
       "The parser stops at the first place it cannot read; the mistake is there or in the line above: an unclosed "
       "quote or\n"
       "bracket, a key without a value, an inline table over several lines. `lr = 1e-3` and `name = \"unet\"` are well "
       "formed."},
      {"E102", "a key or table that the configuration does not know",
       "Top level: schema, extends, [pipeline], [stage.NAME], [matrix]. A parameter of a stage belongs in its "
       "[stage.NAME]."},
      {"E103", "a value of another type than the key takes",
       "Text needs quotes, numbers must not have them: `store = \".penstock\"`, `retries = 2`, `needs = "
       "[\"inspect\"]`."},
      {"E104", "something that must be there is missing",
       "A file begins with `schema = 1` and has at least one [stage.NAME]. The message names what is missing."},
      {"E105", "the schema number is not one this version reads",
       "The number says which grammar the file was written for. This version reads `schema = 1`."},
      {"E106", "the base of `extends` cannot be read, or extends another",
       "`extends = \"base.toml\"` names a file beside this one. A base may not have a base itself: one level, so that "
       "every\n"
       "value has one of two places."},
      {"E107", "a list that holds one thing twice",
       "The note shows the first. One of the two is superfluous, or another name was meant."},
      {"E201", "there is no stage kind of this name",
       "A stage's kind is its name, unless `uses` says otherwise: `[stage.clean]` with `uses = \"command\"`. `penstock "
       "stages`\n"
       "lists the kinds."},
      {"E202", "a parameter's value has the wrong type or lies outside its range",
       "`penstock stages KIND` and configs/REFERENCE.md give type, range and default of each parameter. An integer "
       "serves as a\n"
       "number, a number never as an integer."},
      {"E203", "the stage kind has no parameter of this name",
       "Unknown keys are refused, so that a misspelt one is never ignored. `penstock stages KIND` lists the "
       "parameters; keys\n"
       "of every stage are uses, inputs, needs, resources, retries, gate, cacheable and resume."},
      {"E204", "parameters that are each legal do not fit together",
       "The message says which, and a note points at the other place. Change either."},
      {"E205", "an override (--set, --input, environment) that cannot be applied",
       "`--set train.lr=1e-3` (a TOML value), `--input unzip.archive=PATH`, or in the environment "
       "PENSTOCK_SET_train__lr=1e-3\n"
       "(two underscores for the dot). What the matrix varies is not overridden: `--select train.lr=1e-3` selects some "
       "of its runs."},
      {"E301", "an input or a need names a stage that does not exist",
       "An input is \"stage.output\", with the stage's name as in its [stage.NAME]; a file outside is \"file:PATH\"."},
      {"E302", "an input or output port that the stage kind does not have",
       "`penstock stages KIND` lists the ports of a kind. Those of a command stage are what its `inputs` and `outputs` "
       "name."},
      {"E303", "a required input is missing",
       "Name where it comes from: `inputs = { images = \"unzip.images\" }`, or pass `--input STAGE.PORT=PATH`."},
      {"E304", "stages that need each other in a cycle",
       "The message prints the cycle. Each arrow is an input or a `needs`; remove one of them."},
      {"E305", "a target that is not a stage",
       "`targets` in [pipeline] lists names of stages: what `penstock run` builds when it is given none."},
      {"E306", "an input with several sources where the port takes one",
       "Only ports marked \"one or more\" in `penstock stages KIND` take a list or gather over runs with [*]."},
      {"E307", "a fan-in over something that is not an axis",
       "\"eval.metrics[*]\" gathers over all runs, \"eval.metrics[split.seed]\" over the runs that differ in that axis "
       "only; the\n"
       "axis must be one of [matrix]."},
      {"E401", "a matrix key that is not a parameter of a stage",
       "A key of the matrix is the path of a parameter that exists, \"train.lr\": the stage's name, a dot, the "
       "parameter."},
      {"E402", "a matrix value that does not fit",
       "Each value must be legal for the parameter itself. Ranges (uniform, log_uniform) need "
       "[matrix.sample]."},
      {"E403", "an exclude or a condition that matches no run",
       "It would silently do nothing: perhaps a value was changed in the axes and not here. Values are compared "
       "exactly.\n"
       "Excludes see axes and zips; conditions of [[matrix.set]] also see what includes and earlier sets give."},
      {"E404", "a matrix that gives no run, a run twice, or more than max_runs",
       "Runs are compared by all parameters that affect an output. The message says what multiplies to the count; "
       "shorten an\n"
       "axis, draw from the axes with [matrix.sample], or raise `max_runs` in [matrix]."},
      {"E405", "columns of a zip that differ in length",
       "A [[matrix.zip]] pairs its columns row by row, so all have the same number of values."},
      {"E406", "an early_stop that cannot work",
       "[matrix.early_stop] takes method (asha, median, none), stage, metric, goal, min, eta, start_up. The stage must "
       "report\n"
       "the metric while it runs: `penstock stages KIND` lists what a kind reports."},
      {"E407", "a parameter that two parts of the matrix set",
       "Each parameter is varied by one axis, one column of a zip, or the seeds: with two of them it would be a "
       "guess which one wins.\n"
       "To change some runs afterwards there is [[matrix.set]]."},
  };
  return all;
}

const Rule* find_rule(std::string_view code) {
  const auto found =
      std::find_if(rules().begin(), rules().end(), [code](const Rule& rule) { return rule.code == code; });
  return found == rules().end() ? nullptr : &*found;
}

bool is_error_code(std::string_view text) {
  return text.size() == 4 && text[0] == 'E' &&
         std::all_of(text.begin() + 1, text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace penstock::pipeline
