#include "pipeline/syntax/json_schema.h"

#include <cmath>

#include "distributed/check.h"
#include "pipeline/syntax/grammar.h"

namespace penstock::pipeline {
namespace {

Value reference(const std::string& name) { return {{"$ref", "#/$defs/" + name}}; }

// 16, not 16.0, where a limit is whole.
Value plain(double number) {
  const bool whole = std::floor(number) == number && std::abs(number) < 1e15;
  return whole ? Value(static_cast<int64_t>(number)) : Value(number);
}

Value numeric(const char* type, const About& about) {
  Value schema = {{"type", type}};
  if (about.minimum) schema["minimum"] = plain(*about.minimum);
  if (about.maximum) schema["maximum"] = plain(*about.maximum);
  return schema;
}

Value textual(const About& about) {
  return about.choices.empty() ? Value{{"type", "string"}} : Value{{"type", "string"}, {"enum", about.choices}};
}

Value typed(Type type, const About& about) {
  switch (type) {
    case Type::boolean:
      return {{"type", "boolean"}};
    case Type::integer:
      return numeric("integer", about);
    case Type::number:
      return numeric("number", about);
    case Type::word:
      return textual(about);
    case Type::integer_or_word:
      return {{"anyOf", {numeric("integer", about), textual(about)}}};
    case Type::number_or_word:
      return {{"anyOf", {numeric("number", about), textual(about)}}};
    case Type::words:
      return {{"type", "array"}, {"items", textual(about)}};
    case Type::integers:
      return {{"type", "array"}, {"items", numeric("integer", about)}};
    case Type::numbers:
      return {{"type", "array"}, {"items", numeric("number", about)}};
  }
  return {};
}

Value described(Value schema, const Value& fallback, const About& about) {
  schema["description"] = about.help + (about.affects_output ? "" : " (affects no output)");
  if (!fallback.is_null()) schema["default"] = fallback;
  return schema;
}

Value object_of(Value properties) {
  return {{"type", "object"}, {"properties", std::move(properties)}, {"additionalProperties", false}};
}

// A table of the grammar. `forms` gives the schema of each key that is no plain value.
Value table(const Keys& keys, const Value& forms = Value::object()) {
  Value properties = Value::object(), required = Value::array();
  for (const Key& key : keys.keys) {
    PENSTOCK_CHECK(key.type || forms.contains(key.name), "every key that is a table has a schema");
    properties[key.name] =
        described(key.type ? typed(*key.type, key.about) : forms.at(key.name), key.fallback, key.about);
    if (key.required) required.push_back(key.name);
  }
  Value schema = object_of(std::move(properties));
  if (!required.empty()) schema["required"] = std::move(required);
  return schema;
}

// ---- inputs ----
Value source() {
  const Value text = {
      {"type", "string"},
      {"pattern", R"re(^(file:.+|[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+(\[(\*|[^\[\]]+)\])?)$)re"},
      {"description",
       "\"stage.output\", \"stage.output[*]\" of all runs, or \"file:PATH\" from the configuration's folder"}};
  Value file = table(source_keys());
  file["properties"]["sha256"]["pattern"] = "^[0-9A-Fa-f]{64}$";
  return {{"anyOf", {text, file}}};
}

Value list_of_sources(const char* limit, int count) {
  return {{"type", "array"}, {"items", reference("source")}, {limit, count}};
}

Value inputs_of(const StageKind& kind) {
  Value ports = Value::object();
  for (const Port& port : kind.inputs) {
    ports[port.name] = {
        {"description", port.help + (port.optional ? " (optional)" : "")},
        {"anyOf", {reference("source"), port.many ? list_of_sources("minItems", 1) : list_of_sources("maxItems", 1)}}};
  }
  Value schema = object_of(std::move(ports));
  if (kind.ports) schema["additionalProperties"] = reference("source");  // it declares its own
  return schema;
}

// ---- stages ----
// "early_stopping.patience" is a key of a table.
void add_parameter(Value& properties, const std::string& name, Value schema) {
  const size_t dot = name.find('.');
  if (dot == std::string::npos) {
    properties[name] = std::move(schema);
    return;
  }
  Value& inner = properties[name.substr(0, dot)];
  if (inner.is_null()) inner = object_of(Value::object());
  add_parameter(inner["properties"], name.substr(dot + 1), std::move(schema));
}

Value stage_of(const StageKind& kind) {
  Value schema = table(stage_keys(), {{"inputs", inputs_of(kind)}, {"resources", table(resources_keys())}});
  schema["properties"]["uses"]["const"] = kind.name;
  for (const Specification& one : kind.parameters)
    add_parameter(schema["properties"], one.name, described(typed(one.type, one.about), one.fallback, one.about));
  schema["description"] = kind.summary;
  return schema;
}

Value stage_by_uses(const StageTable& kinds) {
  Value names = Value::array(), choices = Value::array();
  for (const StageKind& kind : kinds) {
    names.push_back(kind.name);
    choices.push_back({{"if", {{"properties", {{"uses", {{"const", kind.name}}}}}, {"required", {"uses"}}}},
                       {"then", reference("kind-" + kind.name)}});
  }
  return {{"type", "object"},
          {"properties", {{"uses", {{"enum", names}, {"description", stage_keys().at("uses").about.help}}}}},
          {"allOf", choices}};
}

Value stages_of(const StageTable& kinds) {
  Value properties = Value::object();
  for (const StageKind& kind : kinds) {
    properties[kind.name] = {{"if", {{"required", {"uses"}}}},
                             {"then", reference("stage-by-uses")},
                             {"else", reference("kind-" + kind.name)}};
  }
  return {{"type", "object"},
          {"properties", properties},
          {"additionalProperties", reference("stage-by-uses")},
          {"propertyNames", {{"pattern", "^[A-Za-z0-9_-]+$"}}}};
}

// ---- matrix ----
// A parameter's path may be written with or without quotes; without, it is a table in a table (or two).
Value by_parameter(const Value& leaf) {
  const Value inner = {{"type", "object"}, {"additionalProperties", leaf}};
  const Value stage = {{"type", "object"}, {"additionalProperties", {{"anyOf", {leaf, inner}}}}};
  return {{"type", "object"}, {"patternProperties", {{"\\.", leaf}, {"^[^.]*$", stage}}}};
}

Value matrix() {
  const auto tables = [](Value items) { return Value{{"type", "array"}, {"items", std::move(items)}}; };
  Value filled = reference("assignment");
  filled["minProperties"] = 1;
  return table(
      matrix_keys(),
      {{"axes", reference("axes")},
       {"zip", tables(reference("columns"))},
       {"exclude", tables(filled)},
       {"include", tables(filled)},
       {"set", tables(table(set_keys(), {{"when", reference("assignment")}, {"set", reference("assignment")}}))},
       {"sample", table(sample_keys())},
       {"seeds", table(seeds_keys(), {{"values", reference("values")}})},
       {"early_stop",
        {{"anyOf", {Value{{"enum", early_stop_keys().at("method").about.choices}}, table(early_stop_keys())}}}}});
}

Value range() {
  Value schema = table(range_keys());
  for (const std::string& name : range_keys().names()) {
    schema["properties"][name]["minItems"] = 2;
    schema["properties"][name]["maxItems"] = 2;
  }
  schema["minProperties"] = 1;
  schema["maxProperties"] = 1;
  return schema;
}

Value definitions(const StageTable& kinds) {
  const Value any_value = {{"type", {"boolean", "number", "string", "array"}}};
  Value all = {{"source", source()},
               {"stage-by-uses", stage_by_uses(kinds)},
               {"values", {{"type", "array"}, {"minItems", 1}, {"uniqueItems", true}}},
               {"range", range()},
               {"axes", by_parameter({{"anyOf", {reference("values"), reference("range")}}})},
               {"columns", by_parameter({{"type", "array"}, {"minItems", 1}})},
               {"assignment", by_parameter(any_value)}};
  for (const StageKind& kind : kinds) all["kind-" + kind.name] = stage_of(kind);
  return all;
}

// A file that extends no other must give its schema, and `uses` for a stage whose name is not a kind; else its base
// may.
Value alone(const StageTable& kinds) {
  Value named = Value::object();
  for (const StageKind& kind : kinds) named[kind.name] = true;
  return {{"if", {{"not", {{"required", {"extends"}}}}}},
          {"then",
           {{"required", {"schema", "stage"}},
            {"properties", {{"stage", {{"properties", named}, {"additionalProperties", {{"required", {"uses"}}}}}}}}}}};
}

}  // namespace

Value json_schema(const StageTable& kinds) {
  Value schema =
      table(file_keys(), {{"pipeline", table(pipeline_keys())}, {"stage", stages_of(kinds)}, {"matrix", matrix()}});
  schema["$schema"] = "https://json-schema.org/draft/2020-12/schema";
  schema["title"] = "Penstock configuration";
  schema["properties"]["schema"]["const"] = 1;
  schema.erase("required");
  schema["allOf"] = Value::array({alone(kinds)});
  schema["$defs"] = definitions(kinds);
  return schema;
}

}  // namespace penstock::pipeline
