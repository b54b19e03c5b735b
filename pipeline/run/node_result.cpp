#include "pipeline/run/node_result.h"

#include "distributed/check.h"

namespace penstock::pipeline {

const char* name_of(Ending ending) {
  switch (ending) {
    case Ending::hit:
      return "hit";
    case Ending::ran:
      return "ran";
    case Ending::failed:
      return "failed";
    case Ending::interrupted:
      return "interrupted";
    case Ending::pruned:
      return "pruned";
    case Ending::damaged:
    case Ending::not_reached:
      break;
  }
  return "not reached";
}

Ending ending_of(ExitCode code) {
  if (code == ExitCode::done) return Ending::ran;
  return code == ExitCode::interrupted ? Ending::interrupted : Ending::failed;
}

std::string to_text(const NodeResult& result) {
  return Value{{"node", result.node},
               {"ending", static_cast<int>(result.ending)},
               {"reason", result.reason},
               {"seconds", result.seconds},
               {"code", static_cast<int>(result.code)},
               {"message", result.message},
               {"damaged", result.damaged},
               {"published", result.published ? Value(result.published->to_text()) : Value(nullptr)}}
      .dump();
}

NodeResult result_from_text(const std::string& text) {
  const Value json = Value::parse(text);
  NodeResult result;
  result.node = json.at("node");
  const int ending = json.at("ending");
  PENSTOCK_CHECK(ending >= 0 && ending <= static_cast<int>(Ending::not_reached),
                 "a group reports one of the endings that rank 0 knows; all ranks run the same program");
  result.ending = static_cast<Ending>(ending);
  result.reason = json.at("reason");
  result.seconds = json.at("seconds");
  result.code = static_cast<ExitCode>(json.at("code").get<int>());
  result.message = json.at("message");
  result.damaged = json.at("damaged").get<std::vector<int>>();
  if (json.at("published").is_string()) {
    auto published = Publication::from_text(json.at("published").get<std::string>());
    PENSTOCK_CHECK(published.has_value(), "a publication that a group reports is complete");
    result.published = std::make_shared<const Publication>(std::move(*published));
  }
  return result;
}

}  // namespace penstock::pipeline
