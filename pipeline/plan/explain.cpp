#include "pipeline/plan/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "pipeline/plan/family.h"

namespace penstock::pipeline {
namespace {

constexpr size_t compared = 256;  // manifests of a kind, the newest

bool is_input(const std::string& field) { return field.starts_with("input "); }

}  // namespace

Explainer::Fingerprint Explainer::fingerprint_of(const KeyFields& fields, bool with_inputs) {
  Fingerprint all;
  for (const auto& [name, value] : fields.fields) {
    if (with_inputs || !is_input(name)) all.push_back(std::hash<std::string>()(name) * 31 + std::hash<Value>()(value));
  }
  std::sort(all.begin(), all.end());
  return all;
}

const std::vector<Explainer::Candidate>& Explainer::candidates(const std::string& kind, bool with_inputs) {
  const auto [found, fresh] = candidates_.try_emplace({kind, with_inputs});
  if (fresh) {
    for (Manifest& manifest : store_.newest_manifests(kind, compared)) {
      Fingerprint fingerprint = fingerprint_of(manifest.fields, with_inputs);
      found->second.push_back({std::move(manifest), std::move(fingerprint)});
    }
  }
  return found->second;
}

Explanation Explainer::why(int index, const Publications& published) {
  const Node& node = graph_.nodes[index];
  const PlannedNode& planned = plan_.nodes[index];
  if (planned.state == State::hit) return {"done before", {}};
  if (planned.state == State::pruned) return {"given up by early stopping; --select takes it up again", {}};
  if (planned.forced) return {node.declaration->cacheable ? "forced" : "cacheable = false", {}};

  std::string waiting;  // an upstream that is not published yet
  for (const Input& input : node.inputs) {
    for (const Source& source : input.sources) {
      if (source.node < 0 || published[source.node] || plan_.nodes[source.node].state == State::pruned ||
          !waiting.empty())
        continue;
      waiting = graph_.nodes[source.node].stage();
    }
  }
  if (waiting.empty()) {
    const KeyFields fields = action_fields(graph_, index, plan_, published);
    if (store_.has_progress(fields.key())) return {"unfinished; resumes where it stopped", {}};
    if (const Adoption adoption = adoption_of(node, fields, store_); adoption.from)
      return {"continues from " + *adoption.from, {}};
    Explanation explanation = compare(node, fields, true);
    if (const Adoption adoption = adoption_of(node, fields, store_); !adoption.refusal.empty()) {
      explanation.reason += "; from the beginning, since " + adoption.refusal;
    }
    return explanation;
  }
  Explanation explanation = compare(node, own_fields(node), false);
  if (explanation.reason.empty()) explanation.reason = fmt::format("upstream {} runs", waiting);
  return explanation;
}

// The fewest fields differ; of equals the newest.
const Explainer::Candidate* Explainer::nearest(const std::string& kind, const KeyFields& mine, bool complete) {
  const Fingerprint fingerprint = fingerprint_of(mine, complete);
  const Candidate* nearest = nullptr;
  size_t fewest = 0;
  Fingerprint different;
  for (const Candidate& candidate : candidates(kind, complete)) {
    different.clear();
    std::set_symmetric_difference(fingerprint.begin(), fingerprint.end(), candidate.fingerprint.begin(),
                                  candidate.fingerprint.end(), std::back_inserter(different));
    if (nearest == nullptr || different.size() < fewest) {
      nearest = &candidate;
      fewest = different.size();
    }
  }
  return nearest;
}

std::optional<double> Explainer::expected_seconds(int index) {
  const Node& node = graph_.nodes[index];
  const Candidate* candidate = nearest(node.kind().name, own_fields(node), false);
  if (candidate == nullptr) return std::nullopt;
  const auto attempts = store_.attempts(candidate->manifest.fields.key());
  const auto good =
      std::find_if(attempts.rbegin(), attempts.rend(), [](const Attempt& one) { return one.exit_code == 0; });
  return good == attempts.rend() ? std::nullopt : std::optional(good->wall_seconds);
}

Explanation Explainer::compare(const Node& node, const KeyFields& mine, bool complete) {
  const Candidate* nearest = this->nearest(node.kind().name, mine, complete);
  if (nearest == nullptr) return {"new", {}};
  Explanation explanation;
  explanation.differences = differences(nearest->manifest.fields, mine);
  if (!complete) std::erase_if(explanation.differences, [](const Difference& one) { return is_input(one.field); });
  if (explanation.differences.empty()) {
    if (complete) explanation.reason = "its stored output is gone";
    return explanation;
  }
  const Difference& first = explanation.differences.front();
  explanation.reason = fmt::format("{}: {} -> {}", first.field, first.before, first.after);
  if (explanation.differences.size() > 1)
    explanation.reason += fmt::format(" and {} more", explanation.differences.size() - 1);
  return explanation;
}

}  // namespace penstock::pipeline
