#include "experiments/problems/loss.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <vector>

namespace nestgrad {
namespace {

constexpr const char* kLoss = "loss";
constexpr const char* kThreshold = "huber_threshold";
constexpr double kDefaultThreshold = 1;

/// Whether `holds` of the targets of all parts.
template <class F>
bool all_targets(const Splits& data, F&& holds) {
  for (const Dataset* part : {&data.train, &data.valid, &data.test}) {
    if (!part->targets.defined()) continue;
    if (!holds(part->targets).all().template item<bool>()) return false;
  }
  return true;
}

}  // namespace

struct Loss::Entry {
  const char* name;
  Form form;
  bool of_classes, of_numbers;
};

const Loss::Entry Loss::kTable[] = {
    {"cross_entropy", Form::kCrossEntropy, true, false},
    {"squared_error", Form::kSquaredError, true, true},
    {"huber", Form::kHuber, false, true},
    {"absolute", Form::kAbsolute, false, true},
    {"poisson", Form::kPoisson, false, true},
    {"binary_cross_entropy", Form::kBinaryCrossEntropy, true, true}};

Schema Loss::keys() {
  std::vector<std::string> names;
  for (const Entry& entry : kTable) names.emplace_back(entry.name);
  return Schema("What the losses are means of.")
      .choice(kLoss, names.front(),
              "What both losses are means of. For classes: cross_entropy of "
              "the outputs as logits, or squared_error, half the squared "
              "distance of the outputs from 1 for the class and 0 for the "
              "others. For numbers, sums over the outputs: squared_error "
              "(half the square of the difference), huber, absolute (no "
              "curvature), poisson (outputs are logarithms of rates), "
              "binary_cross_entropy (outputs are logits; targets are 0 or 1, "
              "or two classes with one output).",
              names)
      .number(kThreshold, kAbsent,
              "Of the loss huber: the difference from which on it grows "
              "linearly, in units of the training targets. Default: 1.",
              above(0));
}

Loss::Loss(const Config& config, const Splits& data) {
  const std::string name = config.text(kLoss);
  const Entry& entry =
      *std::find_if(std::begin(kTable), std::end(kTable),
                    [&](const Entry& e) { return e.name == name; });
  form_ = entry.form;
  if (config.has(kThreshold) && form_ != Form::kHuber) {
    config.fail(kThreshold, "is a key of the loss \"huber\" only");
  }
  threshold_ = config.number_or(kThreshold, kDefaultThreshold);
  if (data.train.classes == 0) {
    target_ = form_ == Form::kBinaryCrossEntropy ? TargetKind::kLabels
                                                 : TargetKind::kNumbers;
  }
  const std::string wrong = complaint(entry, data);
  if (!wrong.empty()) config.fail(kLoss, wrong);
}

std::string Loss::complaint(const Entry& entry, const Splits& data) const {
  const bool classes = data.train.classes > 0;
  if (!(classes ? entry.of_classes : entry.of_numbers)) {
    std::vector<std::string> others;
    for (const Entry& e : kTable) {
      if (classes ? e.of_classes : e.of_numbers) others.emplace_back(e.name);
    }
    return fmt::format(
        "\"{}\" is for {}, and the targets of these data are "
        "{}; take {}{}",
        entry.name, classes ? "numbers" : "classes",
        classes ? "classes" : "numbers", fmt::join(others, " or "),
        classes ? ", or \"targets\": \"numbers\" in \"data\" if "
                  "the targets are a quantity"
                : "");
  }
  if (form_ == Form::kPoisson &&
      !all_targets(data, [](const Tensor& t) { return t.ge(0); })) {
    return "\"poisson\" is for targets of at least 0, counts for example, and "
           "some are negative (as they are with \"standardize_targets\")";
  }
  if (form_ != Form::kBinaryCrossEntropy) return "";
  if (!classes) {
    return all_targets(
               data,
               [](const Tensor& t) { return t.eq(0).logical_or(t.eq(1)); })
               ? ""
               : "\"binary_cross_entropy\" is for targets that are 0 or 1, one "
                 "number for each label, and some are others (as they are with "
                 "\"standardize_targets\"); take squared_error for quantities";
  }
  return data.train.classes == 2
             ? ""
             : fmt::format(
                   "\"binary_cross_entropy\" is for two classes or for "
                   "labels of 0 and 1, and these data have {} classes; "
                   "take cross_entropy",
                   data.train.classes);
}

std::int64_t Loss::outputs(const Dataset& data) const {
  if (target_ != TargetKind::kClasses) return data.targets.size(-1);
  return form_ == Form::kBinaryCrossEntropy ? 1 : data.classes;
}

Tensor Loss::of_each_output(const Tensor& y, const Tensor& t) const {
  const auto difference = [&] { return y - t; };
  switch (form_) {
    case Form::kSquaredError:
      return 0.5 * difference().square();
    case Form::kHuber: {
      const Tensor r = difference();
      const Tensor near = r.clamp(-threshold_, threshold_);
      return near * (r - 0.5 * near);
    }
    case Form::kAbsolute:
      return difference().abs();
    case Form::kPoisson:
      return y.exp() - t * y;
    default:
      return (1 - t) * y - at::log_sigmoid(y);
  }
}

Tensor Loss::operator()(const Tensor& outputs, const Tensor& targets,
                        at::Reduction::Reduction reduction) const {
  if (form_ == Form::kCrossEntropy) {
    return at::cross_entropy_loss(outputs.reshape({-1, outputs.size(-1)}),
                                  targets.reshape(-1), {}, reduction);
  }
  Tensor wanted = targets;
  if (target_ == TargetKind::kClasses) {
    wanted = targets.unsqueeze(-1);
    if (form_ != Form::kBinaryCrossEntropy) {
      // One-hot. at::one_hot() reads the targets, and waits for a device.
      wanted = wanted == at::arange(outputs.size(-1), targets.options());
    }
    wanted = wanted.to(outputs.scalar_type());
  }
  const Tensor each = of_each_output(outputs, wanted).sum(-1).reshape(-1);
  if (reduction == at::Reduction::None) return each;
  return reduction == at::Reduction::Sum ? each.sum() : each.mean();
}

Tensor Loss::predictions(const Tensor& outputs) const {
  if (form_ == Form::kPoisson) return outputs.exp();
  if (target_ == TargetKind::kClasses && form_ == Form::kBinaryCrossEntropy) {
    return at::cat({at::zeros_like(outputs), outputs}, -1);
  }
  return outputs;
}

bool Loss::gives_logits() const {
  return form_ == Form::kCrossEntropy || form_ == Form::kBinaryCrossEntropy;
}

Json Loss::to_json() const {
  const Entry& entry =
      *std::find_if(std::begin(kTable), std::end(kTable),
                    [&](const Entry& e) { return e.form == form_; });
  return {{"loss", entry.name},
          {"targets", target_ == TargetKind::kClasses ? "classes" : "numbers"}};
}

Loss Loss::from_json(const Json& json) {
  const auto name = json.at("loss").get<std::string>();
  const auto entry =
      std::find_if(std::begin(kTable), std::end(kTable),
                   [&](const Entry& e) { return e.name == name; });
  require(entry != std::end(kTable), "there is no loss \"{}\"", name);
  Loss out;
  out.form_ = entry->form;
  if (json.at("targets") != "classes") {
    out.target_ = out.form_ == Form::kBinaryCrossEntropy ? TargetKind::kLabels
                                                         : TargetKind::kNumbers;
  }
  return out;
}

}  // namespace nestgrad
