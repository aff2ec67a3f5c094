#include "experiments/record/estimate_summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/platform/memory_meter.h"

namespace nestgrad {
namespace {

/// The metric of this name, or NaN.
double of(const Metrics& metrics, const std::string& name) {
  const auto found = metrics.find(name);
  return found == metrics.end() ? std::nan("") : found->second;
}

/// The section with the values that the method had to find itself: a scale that
/// was "auto", the rank that could be kept, the checkpoints that fit a budget.
Json used_by(Json given, const Metrics& metrics) {
  if (!given.is_object()) return given;
  for (auto& [key, value] : given.items()) {
    if (value.is_object()) {
      value = used_by(value, metrics);
    } else if (const double found = of(metrics, key); std::isfinite(found)) {
      value = found;
    }
  }
  if (given.contains("memory_mib")) {
    const double states = of(metrics, "states_kept");
    given["checkpoints"] =
        std::isfinite(states) && states > 0 ? Json(states) : Json("none");
  }
  return given;
}

}  // namespace

Observer::Verdict EstimateSummary::on_step(const OuterStep& step) {
  ++estimates_;
  if (step.status != Status::kOk) {
    ++not_converged_;
    trouble_ = *step.trouble;
  }
  const double products = of(*step.metrics, "products");
  if (std::isfinite(products)) products_ += products;
  const double residual = of(*step.metrics, "residual");
  if (std::isfinite(residual)) {
    last_residual_ = residual;
    largest_residual_ = std::max(largest_residual_, residual);
  }
  // Both are false for NaN.
  const double smallest = of(*step.metrics, "smallest_curvature");
  const double largest = of(*step.metrics, "largest_curvature");
  if (smallest < smallest_) smallest_ = smallest;
  if (largest > largest_) largest_ = largest;
  const double condition = of(*step.metrics, "condition_at_least");
  if (condition > condition_) condition_ = condition;
  last_metrics_ = *step.metrics;
  seconds_ += step.estimate_seconds;
  bytes_ = std::max(bytes_, step.estimate_bytes);
  return Verdict::kContinue;
}

void EstimateSummary::persist(Archive& archive) {
  archive("estimates", estimates_);
  archive("not_converged", not_converged_);
  archive("trouble", trouble_);
  archive("products", products_);
  archive("last_metrics", last_metrics_);
  archive("last_residual", last_residual_);
  archive("largest_residual", largest_residual_);
  archive("smallest_curvature", smallest_);
  archive("largest_curvature", largest_);
  archive("condition", condition_);
  archive("seconds", seconds_);
  archive("bytes", bytes_);
}

std::string EstimateSummary::curvature() const {
  if (smallest_ > 0) return "positive";
  return largest_ > 0 ? "indefinite" : "negative";
}

Json EstimateSummary::json() const {
  Json out = {
      {"given", given_},         {"used", used_by(given_, last_metrics_)},
      {"estimates", estimates_}, {"not_converged", not_converged_},
      {"seconds", seconds_},     {"tensor_mib", mebibytes(bytes_)}};
  if (!trouble_.empty()) out["last_trouble"] = trouble_;
  if (!last_metrics_.empty()) out["last_metrics"] = last_metrics_;
  if (products_ > 0) out["products"] = products_;
  if (residual_is_known()) {
    out["last_residual"] = last_residual_;
    out["largest_residual"] = largest_residual_;
  }
  if (curvature_is_known()) {
    out["curvature"] = curvature();
    out["smallest_curvature"] = smallest_;
    out["largest_curvature"] = largest_;
    if (smallest_ > 0 && condition_ > 0) {
      out["condition_at_least"] = condition_;
    }
  }
  return out;
}

std::string EstimateSummary::text() const {
  if (estimates_ == 0) return "";
  const auto count = static_cast<double>(estimates_);
  std::string out;
  const auto line = [&](const char* name, const std::string& value) {
    out += fmt::format("{:20}{}\n", name, value);
  };
  std::string name = given_.value("type", "");
  if (given_.contains("solver")) {
    name += ", " + given_["solver"].value("type", "");
  }
  const Json used = used_by(given_, last_metrics_);
  const Json& solver = used.contains("solver") ? used["solver"] : used;
  for (const char* key : {"scale", "rank"}) {
    if (solver.contains(key) && solver[key].is_number()) {
      name += fmt::format(", {} {:.3g}", key, solver[key].get<double>());
    }
  }
  line("estimator", name);
  line("estimates",
       not_converged_ == 0
           ? fmt::format("{}", estimates_)
           : fmt::format("{}, {} not converged", estimates_, not_converged_));
  if (!trouble_.empty()) line("last trouble", trouble_);
  if (products_ > 0) {
    line("Hessian products",
         fmt::format("{}, {:.3g} per estimate", products_, products_ / count));
  }
  if (residual_is_known()) {
    line("residual", fmt::format("{:.2e} (last), {:.2e} (largest)",
                                 last_residual_, largest_residual_));
  }
  if (curvature_is_known()) {
    std::string value = fmt::format("{}, {:.2e} to {:.2e} along the products",
                                    curvature(), smallest_, largest_);
    if (smallest_ > 0 && condition_ > 0) {
      value += fmt::format(", condition number at least {:.2g}", condition_);
    }
    line("curvature", value);
  }
  line("seconds", fmt::format("{:.3g}, {:.3g} per estimate with its training",
                              seconds_, seconds_ / count));
  line("tensors",
       fmt::format("{:.1f} MiB at the peak of an estimate", mebibytes(bytes_)));
  return out;
}

}  // namespace nestgrad
