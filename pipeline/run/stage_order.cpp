#include "pipeline/run/stage_order.h"

#include "pipeline/packed_value.h"

namespace penstock::pipeline {
namespace {

Value to_json(const std::optional<Digest>& digest) { return digest ? Value(digest->hex()) : Value(nullptr); }
std::optional<Digest> digest_from(const Value& json) {
  return json.is_null() ? std::nullopt : std::optional(Digest::from_hex(json.get<std::string>()));
}
Digest required_digest(const Value& json) { return Digest::from_hex(json.get<std::string>()); }

Value to_json(const ChunkKeys& keys) {
  Value inputs = Value::array();
  for (const auto& [port, digest] : keys.inputs) inputs.push_back({port, digest.hex()});
  return {{"parameters", keys.parameters}, {"environment", keys.environment}, {"inputs", inputs}};
}

ChunkKeys chunk_keys_from(const Value& json) {
  ChunkKeys keys;
  keys.parameters = json.at("parameters").get<Values>();
  keys.environment = json.at("environment").get<std::map<std::string, std::string>>();
  for (const Value& input : json.at("inputs")) keys.inputs.emplace_back(input.at(0), required_digest(input.at(1)));
  return keys;
}

}  // namespace

std::string StageOrder::to_text() const {
  Value all_fields = Value::array(), all_ports = Value::array(), all_objects = Value::array(),
        all_outside = Value::array();
  for (const auto& [name, value] : fields.fields) all_fields.push_back(Value::array({name, value}));
  for (const PublishedPort& port : ports) all_ports.push_back(Value::array({port.port, port.is_volatile}));
  for (const auto& [from, object] : objects) all_objects.push_back(Value::array({from, object.hex()}));
  for (const auto& [path, signature] : outside) all_outside.push_back(Value::array({path.string(), signature.hex()}));
  Value sweep_text = nullptr;
  if (sweep)
    sweep_text = {{"name", sweep->name.hex()},
                  {"label", sweep->label},
                  {"rule", to_json(sweep->rule)},
                  {"folder", sweep->folder.string()}};
  return packed({{"node", node},
                 {"stage", stage},
                 {"run", run},
                 {"reason", reason},
                 {"call", pipeline::to_json(call)},
                 {"fields", all_fields},
                 {"ports", all_ports},
                 {"recipe", to_json(recipe)},
                 {"family", to_json(family)},
                 {"sweep", sweep_text},
                 {"chunks", to_json(chunks)},
                 {"objects", all_objects},
                 {"outside", all_outside},
                 {"replace", replace},
                 {"resume", resume},
                 {"retries", retries}});
}

StageOrder StageOrder::from_text(const std::string& text) {
  const Value json = unpacked(text);
  StageOrder order;
  order.node = json.at("node");
  order.stage = json.at("stage");
  order.run = json.at("run");
  order.reason = json.at("reason");
  order.call = stage_call_from_json(json.at("call"));
  for (const Value& field : json.at("fields")) order.fields.fields.emplace_back(field.at(0), field.at(1));
  for (const Value& port : json.at("ports")) order.ports.push_back({port.at(0), {}, port.at(1)});
  order.recipe = digest_from(json.at("recipe"));
  order.family = digest_from(json.at("family"));
  if (const Value& sweep = json.at("sweep"); !sweep.is_null()) {
    order.sweep = {required_digest(sweep.at("name")), sweep.at("label"), early_stop_from_json(sweep.at("rule")),
                   sweep.at("folder").get<std::string>()};
  }
  order.chunks = chunk_keys_from(json.at("chunks"));
  for (const Value& object : json.at("objects"))
    order.objects.emplace_back(object.at(0), required_digest(object.at(1)));
  for (const Value& one : json.at("outside"))
    order.outside.emplace_back(one.at(0).get<std::string>(), required_digest(one.at(1)));
  order.replace = json.at("replace");
  order.resume = json.at("resume");
  order.retries = json.at("retries");
  return order;
}

}  // namespace penstock::pipeline
