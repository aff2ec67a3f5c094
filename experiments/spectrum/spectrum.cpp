#include "experiments/spectrum/spectrum.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/platform/error.h"
#include "experiments/plot/axis.h"
#include "experiments/plot/plane.h"
#include "experiments/setup/experiment.h"
#include "experiments/setup/precision.h"

namespace nestgrad {
namespace {

/// The most numbers whose derivative matrix is written out.
constexpr std::int64_t kMost = 400;

/// Ends a run after a number of outer steps.
class Until : public Observer {
 public:
  explicit Until(std::int64_t steps) : steps_(steps) {}
  Verdict on_step(const OuterStep& step) override {
    return step.step == steps_ ? Verdict::kStop : Verdict::kContinue;
  }

 private:
  std::int64_t steps_;
};

/// The configuration with `steps` outer steps, in float64.
Config short_config(const JsonFile& file, std::int64_t steps) {
  const Config config = in_float64(experiment_config(file));
  Json json = config.json();
  json["outer"]["steps"] = steps;
  return Config(std::move(json), "", config.folders());
}

/// One outer step as a function of all numbers that steps change.
class OuterStepMap {
 public:
  OuterStepMap(const JsonFile& file, std::int64_t steps)
      : experiment_(short_config(file, steps + 1)) {
    OuterLoop& loop = experiment_.outer_loop();
    loop.add(std::make_shared<Until>(steps));
    loop.begin(experiment_.initial_hyper(), experiment_.tuning_key());
    good_ = loop.run().termination == Termination::kStopped;
    at_ = save(loop);
  }

  bool good() const { return good_; }

  /// The numbers before the step, [n].
  Tensor before() const { return numbers_of(at_); }

  /// Those after it; NaN where training diverges.
  Tensor after(const Tensor& before) {
    Snapshot from = at_;
    std::int64_t first = 0;
    for (auto& [path, set] : from.sets) {
      std::vector<Tensor> tensors;
      for (const Tensor& t : set.tensors()) {
        if (!t.is_floating_point()) {
          tensors.push_back(t);
          continue;
        }
        tensors.push_back(
            before.narrow(0, first, t.numel()).view(t.sizes()).to(t.options()));
        first += t.numel();
      }
      set = set.with(std::move(tensors));
    }
    OuterLoop& loop = experiment_.outer_loop();
    restore(loop, from);
    if (loop.run().termination == Termination::kDiverged) {
      return at::full_like(before, std::nan(""));
    }
    return numbers_of(save(loop));
  }

 private:
  static Tensor numbers_of(const Snapshot& snapshot) {
    std::vector<Tensor> all = {at::empty({0}, at::kDouble)};
    for (const auto& [path, set] : snapshot.sets) {
      for (const Tensor& t : set.tensors()) {
        if (t.is_floating_point()) {
          all.push_back(t.detach().reshape(-1).to(at::kCPU, at::kDouble));
        }
      }
    }
    return at::cat(all);
  }

  Experiment experiment_;
  Snapshot at_;
  bool good_ = false;
};

}  // namespace

double Spectrum::radius() const {
  return eigenvalues.empty() ? std::nan("") : std::abs(eigenvalues.front());
}

Spectrum spectrum_of(const JsonFile& file, std::int64_t steps) {
  OuterStepMap map(file, steps);
  if (!map.good()) return {};
  const Tensor at = map.before();
  const std::int64_t n = at.numel();
  if (n > kMost) {
    throw ConfigError(
        "/problem",
        fmt::format("has {} numbers with those of the rules; the spectrum is "
                    "told of at most {}",
                    n, kMost));
  }
  const double scale = std::cbrt(std::numeric_limits<double>::epsilon());
  Tensor derivative = at::empty({n, n}, at::kDouble);
  for (std::int64_t i = 0; i < n; ++i) {
    const double length = scale * (1 + std::abs(at[i].item<double>()));
    Tensor ahead = at.clone(), behind = at.clone();
    ahead[i] += length;
    behind[i] -= length;
    const double width = (ahead[i] - behind[i]).item<double>();
    derivative.select(1, i).copy_((map.after(ahead) - map.after(behind)) /
                                  width);
  }
  Spectrum out;
  if (!derivative.isfinite().all().item<bool>()) return out;
  const Tensor values = at::linalg_eigvals(derivative);
  for (std::int64_t i = 0; i < n; ++i) {
    const auto value = values[i].item<c10::complex<double>>();
    out.eigenvalues.emplace_back(value.real(), value.imag());
  }
  std::sort(out.eigenvalues.begin(), out.eigenvalues.end(),
            [](const auto& a, const auto& b) {
              return std::tuple(-std::abs(a), -a.real(), -a.imag()) <
                     std::tuple(-std::abs(b), -b.real(), -b.imag());
            });
  return out;
}

}  // namespace nestgrad
