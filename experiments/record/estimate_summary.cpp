#include "experiments/record/estimate_summary.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/platform/memory_meter.h"

namespace nestgrad {
namespace {

/// The metric of this name, or NaN.
double of(const Metrics& metrics, const std::string& name) {
  const auto found = metrics.find(name);
  return found == metrics.end() ? std::nan("") : found->second;
}

/// "ift, neumann": the type of a section and of its parts.
std::string types_of(const Json& section) {
  std::string out = section.value("type", "");
  for (const auto& [key, value] : section.items()) {
    if (value.is_object() && value.contains("type")) {
      out += ", " + types_of(value);
    }
  }
  return out;
}

/// ", scale 0.125": settings, those of parts included.
std::string settings_text(const Json& settings) {
  std::string out;
  for (const auto& [key, value] : settings.items()) {
    if (value.is_object()) {
      out += settings_text(value);
    } else {
      out += fmt::format(", {} {}", key,
                         value.is_number()
                             ? fmt::format("{:.3g}", value.get<double>())
                             : value.get<std::string>());
    }
  }
  return out;
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
  // Comparisons with NaN are false.
  const double smallest = of(*step.metrics, "smallest_curvature");
  const double largest = of(*step.metrics, "largest_curvature");
  if (smallest < smallest_) smallest_ = smallest;
  if (largest > largest_) largest_ = largest;
  const double condition = of(*step.metrics, "condition_at_least");
  if (condition > condition_) condition_ = condition;
  last_metrics_ = *step.metrics;
  if (step.used != nullptr) found_.merge_patch(*step.used);
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
  std::string found = found_.dump();
  archive("found", found);
  if (archive.restoring()) found_ = Json::parse(found);
  archive("last_residual", last_residual_);
  archive("largest_residual", largest_residual_);
  archive("smallest_curvature", smallest_);
  archive("largest_curvature", largest_);
  archive("condition", condition_);
  archive("seconds", seconds_);
  archive("bytes", bytes_);
}

EstimateReport EstimateSummary::report() const {
  EstimateReport out;
  out.given = out.used = given_;
  out.found = found_;
  out.used.merge_patch(found_);
  out.estimates = estimates_;
  out.not_converged = not_converged_;
  out.last_trouble = trouble_;
  out.failed = failed_;
  out.last_metrics = last_metrics_;
  out.products = products_;
  if (largest_residual_ >= 0) {
    out.residual = EstimateReport::Residual{last_residual_, largest_residual_};
  }
  if (smallest_ <= largest_) {
    out.curvature = EstimateReport::Curvature{smallest_, largest_,
                                              smallest_ > 0 ? condition_ : 0};
  }
  out.seconds = seconds_;
  out.bytes = bytes_;
  return out;
}

std::string EstimateReport::Curvature::sign() const {
  if (smallest > 0) return "positive";
  return largest > 0 ? "indefinite" : "negative";
}

std::string EstimateReport::meaning() const {
  if (not_converged == 0) return "";
  const std::string end =
      failed ? "tuning ended because the last estimate could not be followed"
             : "";
  const std::int64_t followed = not_converged - (failed ? 1 : 0);
  if (followed == 0) return end;
  // So few steps in a wrong direction are made good by the others.
  constexpr std::int64_t kRarely = 20;
  const std::string steps =
      fmt::format("{}{}{} of {} outer steps followed {}", end,
                  failed ? "; " : "", followed, estimates,
                  followed == 1 ? "an estimate that is only approximate"
                                : "estimates that are only approximate");
  if (followed * kRarely <= estimates) {
    return steps + "; so few matter little";
  }
  return fmt::format(
      "{}; the result may suffer: 'nestgrad check CONFIG --windows {}' tells "
      "how far off they are",
      steps, std::max<std::int64_t>(1, estimates / 2));
}

Json EstimateReport::to_json() const {
  Json out = {{"given", given},         {"used", used},
              {"estimates", estimates}, {"not_converged", not_converged},
              {"seconds", seconds},     {"tensor_mib", mebibytes(bytes)}};
  if (!last_trouble.empty()) {
    out["last_trouble"] = last_trouble;
    out["trouble_means"] = meaning();
  }
  if (!last_metrics.empty()) out["last_metrics"] = last_metrics;
  if (products > 0) out["products"] = products;
  if (residual) {
    out["last_residual"] = residual->last;
    out["largest_residual"] = residual->largest;
  }
  if (curvature) {
    out["curvature"] = curvature->sign();
    out["smallest_curvature"] = curvature->smallest;
    out["largest_curvature"] = curvature->largest;
    if (curvature->condition_at_least > 0) {
      out["condition_at_least"] = curvature->condition_at_least;
    }
  }
  return out;
}

std::string EstimateReport::text() const {
  if (estimates == 0) return "";
  const auto count = static_cast<double>(estimates);
  std::string out;
  const auto line = [&](const char* name, const std::string& value) {
    out += fmt::format("{:20}{}\n", name, value);
  };
  line("estimator", types_of(given) + settings_text(found));
  line("estimates", not_converged == 0 ? fmt::format("{}", estimates)
                                       : fmt::format("{}, {} not converged",
                                                     estimates, not_converged));
  if (!last_trouble.empty()) {
    line("last trouble", last_trouble);
    line("", meaning());
  }
  if (products > 0) {
    line("Hessian products",
         fmt::format("{}, {:.3g} per estimate", products, products / count));
  }
  if (residual) {
    line("residual", fmt::format("{:.2e} (last), {:.2e} (largest)",
                                 residual->last, residual->largest));
  }
  if (curvature) {
    std::string value =
        fmt::format("{}, {:.2e} to {:.2e} along the products",
                    curvature->sign(), curvature->smallest, curvature->largest);
    if (curvature->condition_at_least > 0) {
      value += fmt::format(", condition number at least {:.2g}",
                           curvature->condition_at_least);
    }
    line("curvature", value);
  }
  line("seconds", fmt::format("{:.3g}, {:.3g} per estimate with its training",
                              seconds, seconds / count));
  line("tensors",
       fmt::format("{:.1f} MiB at the peak of an estimate", mebibytes(bytes)));
  return out;
}

}  // namespace nestgrad
