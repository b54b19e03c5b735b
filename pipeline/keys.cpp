#include "pipeline/keys.h"

#include <algorithm>

#include "distributed/check.h"
#include "distributed/printable.h"

namespace penstock::pipeline {
namespace {

constexpr int64_t key_schema = 1;

constexpr size_t digest_digits = 64;
constexpr size_t shown_length = 60;

std::string shortened(const std::string& text) {
  return text.size() <= shown_length ? text : std::string(distributed::beginning_of(text, shown_length)) + "...";
}

std::string shown(const Value* value) {
  if (value == nullptr) return "(none)";
  if (value->is_string()) {
    const auto& text = value->get_ref<const std::string&>();
    if (text.size() == digest_digits) return std::string(distributed::beginning_of(text, 10));
    const std::string quoted = value->dump();  // a line break becomes \n
    return shortened(quoted.substr(1, quoted.size() - 2));
  }
  if (value->is_array() && value->size() == 1) return shown(&value->front());
  return shortened(value->dump());
}

}  // namespace

void add_to(Hasher& hasher, const Value& value) {
  switch (value.type()) {
    case Value::value_t::boolean:
      hasher.field(value.get<bool>());
      return;
    case Value::value_t::number_integer:
    case Value::value_t::number_unsigned:
      hasher.field(value.get<int64_t>());
      return;
    case Value::value_t::number_float:
      hasher.field(value.get<double>());
      return;
    case Value::value_t::string:
      hasher.field(value.get_ref<const std::string&>());
      return;
    case Value::value_t::array:
      hasher.field("list").field(static_cast<uint64_t>(value.size()));
      for (const Value& part : value) add_to(hasher, part);
      return;
    default:
      PENSTOCK_CHECK(false, "a key field is a boolean, a number, text or a list of these");
  }
}

Digest KeyFields::key() const {
  Hasher hasher;
  for (const auto& [name, value] : fields) {
    hasher.field(name);
    add_to(hasher, value);
  }
  return hasher.finish();
}

std::map<std::string, std::string> environment_of(const Node& node) {
  return node.kind().environment ? node.kind().environment(node.values()) : std::map<std::string, std::string>();
}

KeyFields own_fields(const Node& node) {
  KeyFields own;
  own.fields.emplace_back("schema", key_schema);
  own.fields.emplace_back("kind", node.kind().name);
  own.fields.emplace_back("version", int64_t{node.kind().version});
  for (const Specification& parameter : node.kind().parameters) {
    if (!parameter.about.affects_output) continue;
    const Value& value = node.value(parameter.name);
    if (parameter.about.as_before && *parameter.about.as_before == value) continue;
    own.fields.emplace_back("parameter " + parameter.name, value);
  }
  for (const auto& [name, value] : environment_of(node)) own.fields.emplace_back("environment " + name, value);
  return own;
}

std::string kind_of(const KeyFields& fields) {
  const auto found =
      std::find_if(fields.fields.begin(), fields.fields.end(), [](const auto& field) { return field.first == "kind"; });
  return found != fields.fields.end() && found->second.is_string() ? found->second.get<std::string>() : std::string();
}

KeyFields with_inputs(KeyFields own, const Node& node, const std::vector<std::vector<SourceDigest>>& inputs) {
  PENSTOCK_CHECK(inputs.size() == node.inputs.size(), "every input of a node has its digests");
  for (size_t index = 0; index < inputs.size(); ++index) {
    auto sources = inputs[index];
    const bool fan_in = node.inputs[index].fan_in();
    if (sources.empty() && !fan_in) continue;  // only volatile sources: in no key
    if (fan_in) std::sort(sources.begin(), sources.end(), [](const auto& a, const auto& b) { return a.run < b.run; });
    Value digests = Value::array();
    for (const SourceDigest& source : sources) {
      if (fan_in)
        digests.push_back(Value::array({source.run, source.digest.hex()}));
      else
        digests.push_back(source.digest.hex());
    }
    own.fields.emplace_back("input " + node.inputs[index].port(), std::move(digests));
  }
  return own;
}

std::vector<Difference> differences(const KeyFields& before, const KeyFields& after) {
  const auto find = [](const KeyFields& all, const std::string& name) -> const Value* {
    for (const auto& [field, value] : all.fields) {
      if (field == name) return &value;
    }
    return nullptr;
  };
  std::vector<Difference> found;
  for (const auto& [name, value] : after.fields) {
    const Value* old = find(before, name);
    if (old == nullptr || *old != value) found.push_back({name, shown(old), shown(&value)});
  }
  for (const auto& [name, value] : before.fields) {
    if (find(after, name) == nullptr) found.push_back({name, shown(&value), shown(nullptr)});
  }
  return found;
}

}  // namespace penstock::pipeline
