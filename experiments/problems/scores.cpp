#include "experiments/problems/scores.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <optional>

namespace nestgrad {
namespace {

constexpr const char* kMetrics = "metrics";

const std::vector<std::string>& names_for(TargetKind target) {
  static const std::vector<std::string> classes = {
      "accuracy", "balanced_accuracy", "recall", "f1", "roc_auc"};
  static const std::vector<std::string> numbers = {"rmse", "mae", "r2"};
  static const std::vector<std::string> labels = {"accuracy", "recall", "f1",
                                                  "roc_auc"};
  return target == TargetKind::kClasses   ? classes
         : target == TargetKind::kNumbers ? numbers
                                          : labels;
}

double number(const Tensor& t) { return t.item<double>(); }

/// Scores of parts, some of which are undetermined.
using Parts = std::vector<std::optional<double>>;

std::optional<double> mean(const Parts& parts) {
  double sum = 0;
  int count = 0;
  for (const auto& part : parts) {
    if (!part) continue;
    sum += *part;
    ++count;
  }
  if (count == 0) return std::nullopt;
  return sum / count;
}

/// a / b where b is positive.
Parts ratios(const Tensor& a, const Tensor& b) {
  Parts out;
  for (std::int64_t i = 0; i < a.size(0); ++i) {
    const double below = number(b[i]);
    out.push_back(below > 0 ? std::optional(number(a[i]) / below)
                            : std::nullopt);
  }
  return out;
}

/// The area under the curve of scores [n] where `holds` [n] are the positives.
std::optional<double> area(const Tensor& scores, const Tensor& holds) {
  const Tensor positive = scores.masked_select(holds);
  const Tensor negative = scores.masked_select(holds.logical_not());
  if (positive.numel() == 0 || negative.numel() == 0) return std::nullopt;
  return area_under_curve(positive, negative);
}

}  // namespace

double area_under_curve(const Tensor& positive, const Tensor& negative) {
  const Tensor sorted = std::get<0>(negative.sort());
  const Tensor below = at::searchsorted(sorted, positive).to(at::kDouble) +
                       at::searchsorted(sorted, positive, /*out_int32=*/false,
                                        /*right=*/true)
                           .to(at::kDouble);
  return (below.mean() / (2.0 * static_cast<double>(negative.numel())))
      .item<double>();
}

Schema Scores::keys() {
  return Schema("What predictions are judged by.")
      .texts(kMetrics, kAbsent,
             "What is evaluated beside the loss. Of classes: accuracy, "
             "balanced_accuracy, recall (of each class, by its name), f1, "
             "roc_auc. Of numbers: rmse, mae, r2. Of several labels: accuracy, "
             "recall, f1, roc_auc. Default: accuracy, or rmse and r2.");
}

std::vector<std::string> Scores::usual(TargetKind target) {
  if (target == TargetKind::kNumbers) return {"rmse", "r2"};
  return {"accuracy"};
}

Scores::Scores(const Config& config, const Loss& loss, const Dataset& data,
               const std::vector<std::string>& otherwise)
    : chosen_(config.has(kMetrics) ? config.texts(kMetrics) : otherwise),
      target_(loss.target()),
      logits_(loss.gives_logits()),
      part_names_(data.target_names) {
  const std::vector<std::string>& known = names_for(target_);
  const std::string parts_are = target_ == TargetKind::kClasses   ? "classes"
                                : target_ == TargetKind::kNumbers ? "numbers"
                                                                  : "labels";
  for (const std::string& name : chosen_) {
    if (std::count(known.begin(), known.end(), name) > 0) continue;
    const std::string near = nearest(name, known);
    config.fail(kMetrics,
                near.empty()
                    ? fmt::format("there is no '{}' for these targets, "
                                  "which are {}; there are: {}",
                                  name, parts_are, fmt::join(known, ", "))
                    : fmt::format("there is no '{}'; did you mean "
                                  "'{}'?",
                                  name, near));
  }
  const std::int64_t parts =
      target_ == TargetKind::kClasses ? data.classes : data.targets.size(-1);
  if (asks("recall") && parts > kFewParts) {
    config.fail(kMetrics,
                fmt::format("recall is a number for each of the {0}, of at "
                            "most {1} {0}; these data have {2}",
                            parts_are, kFewParts, parts));
  }
}

bool Scores::asks(const char* name) const {
  return std::count(chosen_.begin(), chosen_.end(), name) > 0;
}

bool Scores::only_accuracy() const {
  return !chosen_.empty() && std::all_of(chosen_.begin(), chosen_.end(),
                                         [](const std::string& name) {
                                           return name == "accuracy";
                                         });
}

std::string Scores::name_of(std::int64_t part) const {
  const auto i = static_cast<std::size_t>(part);
  return i < part_names_.size() ? part_names_[i] : std::to_string(part);
}

Tensor Scores::are_right(const Tensor& logits, const Tensor& targets) {
  return at::isFloatingType(targets.scalar_type())
             ? logits.gt(0).eq(targets.gt(0.5))
             : logits.argmax(-1).eq(targets);
}

Metrics Scores::of(const Tensor& predictions, const Tensor& targets,
                   const std::string& prefix) const {
  const Metrics scores =
      target_ == TargetKind::kClasses   ? of_classes(predictions, targets)
      : target_ == TargetKind::kNumbers ? of_numbers(predictions, targets)
                                        : of_labels(predictions, targets);
  Metrics out;
  for (const auto& [name, value] : scores) out[prefix + name] = value;
  return out;
}

namespace {

/// Examples of each class or label, predictions of it, and right ones among
/// both.
struct Counts {
  Tensor examples, predicted, right;

  Parts recall() const { return ratios(right, examples); }
  Parts f1() const { return ratios(2 * right, examples + predicted); }
};

}  // namespace

Metrics Scores::of_classes(const Tensor& all_logits,
                           const Tensor& all_targets) const {
  const std::int64_t classes = all_logits.size(-1);
  const Tensor logits = all_logits.reshape({-1, classes});
  const Tensor targets = all_targets.reshape(-1);
  const Tensor answers = logits.argmax(-1), right = answers.eq(targets);
  const Counts counts{at::bincount(targets, {}, classes),
                      at::bincount(answers, {}, classes),
                      at::bincount(targets.masked_select(right), {}, classes)};
  Metrics out;
  const auto add = [&](const std::string& name, std::optional<double> value) {
    if (value) out[name] = *value;
  };
  const Parts recall = counts.recall();
  if (asks("accuracy")) out["accuracy"] = number(right.to(at::kDouble).mean());
  if (asks("balanced_accuracy")) add("balanced_accuracy", mean(recall));
  for (std::int64_t c = 0; asks("recall") && c < classes; ++c) {
    add("recall." + name_of(c), recall[static_cast<std::size_t>(c)]);
  }
  if (asks("f1")) {
    const Parts f1 = counts.f1();
    add("f1", classes == 2 ? f1[1] : mean(f1));
  }
  if (!asks("roc_auc")) return out;
  // What puts examples in the order of the probability of a class.
  const Tensor order = !logits_       ? logits
                       : classes == 2 ? logits - logits.flip(1)
                                      : logits.to(at::kDouble).log_softmax(1);
  Parts areas;
  for (std::int64_t c = classes == 2 ? 1 : 0; c < classes; ++c) {
    areas.push_back(area(order.select(1, c), targets.eq(c)));
  }
  add("roc_auc", mean(areas));
  return out;
}

Metrics Scores::of_numbers(const Tensor& predicted,
                           const Tensor& targets) const {
  const Tensor t = targets.to(at::kDouble);
  const Tensor difference = predicted.to(at::kDouble) - t;
  const Tensor squares = difference.square().sum(0);
  const Tensor around_mean = (t - t.mean(0)).square().sum(0);
  const auto n = static_cast<double>(t.size(0));
  Parts r2 = ratios(squares, around_mean), rmse, mae;
  for (auto& part : r2) {
    if (part) part = 1 - *part;
  }
  for (std::int64_t i = 0; i < t.size(1); ++i) {
    rmse.emplace_back(std::sqrt(number(squares[i]) / n));
    mae.emplace_back(number(difference.select(1, i).abs().mean()));
  }
  Metrics out;
  const std::pair<const char*, const Parts*> all[] = {
      {"rmse", &rmse}, {"mae", &mae}, {"r2", &r2}};
  for (const auto& [name, parts] : all) {
    if (!asks(name)) continue;
    if (const auto whole = mean(*parts)) out[name] = *whole;
    const auto count = static_cast<std::int64_t>(parts->size());
    for (std::int64_t i = 0; i < count; ++i) {
      const auto& part = (*parts)[static_cast<std::size_t>(i)];
      if (count == 1 || count > kFewParts || !part) continue;
      out[fmt::format("{}.{}", name, name_of(i))] = *part;
    }
  }
  return out;
}

Metrics Scores::of_labels(const Tensor& logits, const Tensor& targets) const {
  const Tensor holds = targets.gt(0.5), said = logits.gt(0);
  const Counts counts{holds.sum(0), said.sum(0),
                      holds.logical_and(said).sum(0)};
  Metrics out;
  if (asks("accuracy")) {
    out["accuracy"] = number(said.eq(holds).to(at::kDouble).mean());
  }
  const Parts recall = counts.recall();
  Parts areas;
  for (std::int64_t i = 0; i < holds.size(1); ++i) {
    const auto& part = recall[static_cast<std::size_t>(i)];
    if (asks("recall") && part) out["recall." + name_of(i)] = *part;
    if (asks("roc_auc")) {
      areas.push_back(area(logits.select(1, i), holds.select(1, i)));
    }
  }
  Parts f1 = counts.f1();
  for (auto& part : f1) part = part.value_or(0);
  if (asks("f1")) out["f1"] = *mean(f1);
  if (const auto whole = mean(areas)) out["roc_auc"] = *whole;
  return out;
}

}  // namespace nestgrad
