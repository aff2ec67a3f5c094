#include "experiments/setup/stopping.h"

#include <fmt/format.h>

#include <limits>

#include "core/metric.h"

namespace nestgrad {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

Schema Stopping::schema() {
  return Schema(
             "When tuning ends before its last step. The final runs are made "
             "in any case.")
      .integer("patience", 0,
               "Number of outer steps without an improvement after which "
               "tuning ends. 0: no limit.",
               at_least(0))
      .text(
          "metric", "outer_loss",
          "The metric that must improve: outer_loss, the validation loss of "
          "every step, or a metric that is evaluated every record.every steps, "
          "such as valid_accuracy. Accuracies, recalls, F1, R2 and ROC AUC "
          "must rise, all others must fall.")
      .number("improvement", 0,
              "How much better than its best value so far the metric must be "
              "to count as improved.",
              at_least(0))
      .number("seconds", kAbsent, "Ends tuning after this many seconds.",
              above(0))
      .number("train_gradients", kAbsent,
              "Ends tuning after this many gradients of the training loss.",
              above(0))
      .number("products", kAbsent,
              "Ends tuning after this many Hessian products.", above(0));
}

Stopping::Stopping(const Config& config, Sources sources)
    : sources_(std::move(sources)),
      metric_(config.text("metric")),
      patience_(config.integer("patience")),
      improvement_(config.number("improvement")),
      seconds_(config.number_or("seconds", kInfinity)),
      gradients_(config.number_or("train_gradients", kInfinity)),
      products_(config.number_or("products", kInfinity)),
      best_(kInfinity) {}

bool Stopping::is_wanted(const Config& section) {
  return section.integer("patience") > 0 || section.has("seconds") ||
         section.has("train_gradients") || section.has("products");
}

Observer::Verdict Stopping::stop(const char* kind, std::string reason) {
  kind_ = kind;
  reason_ = std::move(reason);
  return Verdict::kStop;
}

Observer::Verdict Stopping::on_step(const OuterStep& step) {
  // Estimates from other starts have other losses; evaluations do not.
  const bool compares = step.position.start == 0 || !is_outer_loss();
  if (patience_ > 0 && compares) {
    double value = kInfinity;
    if (is_outer_loss()) {
      value = step.objective;
    } else {
      const Metrics evaluation = sources_.evaluation(step);
      const auto found = evaluation.find(metric_);
      if (found != evaluation.end()) {
        value = to_minimize(metric_, found->second);
      }
    }
    const bool unknown = value == kInfinity && best_ == kInfinity;
    if (unknown || value < best_ - improvement_) {
      best_ = value;
      best_step_ = step.step;
    }
    if (step.step - best_step_ >= patience_) {
      return stop("early_stopping",
                  fmt::format("{} has not improved since outer step {}",
                              metric_, best_step_));
    }
  }
  if (step.seconds >= seconds_) {
    return stop("budget", fmt::format("{} seconds are used up", seconds_));
  }
  if (static_cast<double>(sources_.train_gradients()) >= gradients_) {
    return stop("budget", fmt::format("{} gradients of the training loss are "
                                      "used up",
                                      gradients_));
  }
  if (sources_.products() >= products_) {
    return stop("budget",
                fmt::format("{} Hessian products are used up", products_));
  }
  return Verdict::kContinue;
}

void Stopping::persist(Archive& archive) {
  archive("best", best_);
  archive("best_step", best_step_);
}

}  // namespace nestgrad
