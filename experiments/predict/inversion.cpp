#include "experiments/predict/inversion.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/nn/weight_forms.h"
#include "core/platform/error.h"
#include "core/tensor/autodiff.h"
#include "experiments/data/data.h"
#include "experiments/predict/run_network.h"

namespace nestgrad {
namespace {

/// The most numbers of an example whose derivative is written out.
constexpr std::int64_t kMostNumbers = 1024;

/// dF/dx at each input, [examples, numbers, numbers]: one product for each
/// number of the output, since examples do not depend on each other.
Tensor derivatives(const Model& model, const ParameterSet& weights,
                   const Pass& pass, const Tensor& inputs) {
  const Tensor x = inputs.detach().requires_grad_();
  const Tensor y = model.forward(weights, x, pass).flatten(1);
  std::vector<Tensor> rows;
  for (std::int64_t i = 0; i < y.size(1); ++i) {
    Tensor v = at::zeros_like(y);
    v.select(1, i).fill_(1);
    rows.push_back(vjp(std::vector<Tensor>{y}, {x}, {v}).front().flatten(1));
  }
  return at::stack(rows, 1);
}

}  // namespace

Inversion inversion_at(const std::string& name, const Model& model,
                       const ParameterSet& weights, const ParameterSet& hyper,
                       const Tensor& inputs) {
  Inversion out;
  out.name = name;
  out.examples = inputs.size(0);
  const Pass pass = Pass::evaluation_as(Draw(), hyper);
  {
    const at::NoGradGuard no_tape;
    const Tensor back = model.inverse(
        SharedWeights(weights), model.forward(weights, inputs, pass), pass);
    const Tensor off = (back - inputs).flatten(1).norm(2, 1) /
                       inputs.flatten(1).norm(2, 1).clamp_min(1e-30);
    const Tensor errors =
        at::where(off.isfinite(), off, at::full_like(off, INFINITY));
    out.largest_error = errors.max().item<double>();
    out.mean_error = errors.mean().item<double>();
  }
  const auto exact = weights.tensors().front().options().dtype(at::kDouble);
  const ParameterSet settings = hyper.to(exact);
  const Tensor values = at::linalg_svdvals(
      derivatives(model, weights.to(exact),
                  Pass::evaluation_as(Draw(), settings), inputs.to(exact)));
  out.stretch = values.max().item<double>();
  out.inverse_stretch = 1 / values.min().item<double>();
  return out;
}

bool InversionReport::accurate() const {
  return std::all_of(rows.begin(), rows.end(), [&](const Inversion& row) {
    return row.largest_error <= tolerance;
  });
}

std::string InversionReport::text() const {
  std::string out =
      fmt::format("{:34}{:>10}{:>15}{:>13}{:>12}{:>12}\n", "", "examples",
                  "largest error", "mean error", "stretch", "of inverse");
  for (const Inversion& row : rows) {
    out += fmt::format("{:34}{:>10}{:>15.3g}{:>13.3g}{:>12.4g}{:>12.4g}\n",
                       row.name, row.examples, row.largest_error,
                       row.mean_error, row.stretch, row.inverse_stretch);
  }
  return out + fmt::format("\nThe inverse is {}: {} {:g}.\n",
                           accurate() ? "accurate" : "NOT ACCURATE",
                           accurate() ? "all errors are at most"
                                      : "the largest error is above",
                           tolerance);
}

Json InversionReport::to_json() const {
  Json out = {{"accurate", accurate()},
              {"tolerance", tolerance},
              {"inputs", Json::array()}};
  for (const Inversion& row : rows) {
    out["inputs"].push_back({{"name", row.name},
                             {"examples", row.examples},
                             {"largest_error", row.largest_error},
                             {"mean_error", row.mean_error},
                             {"stretch", row.stretch},
                             {"inverse_stretch", row.inverse_stretch}});
  }
  return out;
}

InversionReport report_inversion(const std::string& run, std::int64_t examples,
                                 double spread, double tolerance) {
  const RunNetwork network = RunNetwork::load(run);
  require(network.model->abilities().invertible,
          "{}: its network has layers that cannot be undone; see 'nestgrad "
          "list layers'",
          run);
  const at::TensorOptions options = network.weights.tensors().front().options();
  const Splits splits = load_splits(
      network.config.object("problem").object("data"),
      Key(static_cast<std::uint64_t>(network.config.integer("seed")))
          .fold("problem")
          .fold("data"),
      options);
  const Tensor x =
      splits.valid.loaded(0, std::min(examples, splits.valid.size())).inputs;
  require(x[0].numel() <= kMostNumbers,
          "{}: an example has {} numbers; at most {} can be judged", run,
          x[0].numel(), kMostNumbers);
  const ParameterSet hyper = network.settings();
  const Tensor noise = x.mean() + spread * x.std() * Key(1).normal(x);
  const auto at = [&](const std::string& name, const Tensor& inputs) {
    return inversion_at(name, *network.model, network.weights, hyper, inputs);
  };
  return {{at("validation examples", x),
           at(fmt::format("noise of {:g} standard deviations", spread), noise)},
          tolerance};
}

}  // namespace nestgrad
