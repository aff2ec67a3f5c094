#include "model_contract.h"

#include <ATen/ATen.h>

#include "core/tensor/key.h"
#include "derivatives.h"
#include "numbers.h"
#include "particles.h"

namespace nestgrad::testing {
namespace {

/// `hyper` must outlive the pass.
Pass pass_for(Findings& findings, bool training, const ParameterSet& hyper) {
  findings.at(training ? "in training" : "in evaluation");
  Pass pass;
  pass.training = training;
  pass.key = Key(5);
  pass.hyper = &hyper;
  return pass;
}

void judge_model(Findings& findings, const Model& model, const Tensor& input) {
  disturb(1);
  const ParameterSet fresh = model.initial_weights(Key(3));
  disturb(2);
  findings.expect(equal(model.initial_weights(Key(3)), fresh),
                  "fresh weights depend on more than the key");
  const ParameterSet weights = fresh.to(float64());
  const ParameterSet weights_before = weights.clone();
  const Tensor input_before = input.clone();
  ParameterSet hyper;
  for (const Hyperparameter& h : model.hyperparameters()) {
    hyper.insert(h.name, h.initial.to(at::kDouble));
  }
  for (const bool training : {false, true}) {
    const Pass pass = pass_for(findings, training, hyper);
    const Tensor first = model.forward(weights, input, pass);
    disturb(3);
    findings.expect(first.equal(model.forward(weights, input, pass)),
                    "the output depends on more than the arguments");
    findings.expect(first.isfinite().all().item<bool>(),
                    "the output is not finite");
    if (!training) {
      Pass other = pass;
      other.key = Key(6);
      findings.expect(first.equal(model.forward(weights, input, other)),
                      "the output is noisy");
    }
    const bool tokens = !input.is_floating_point();
    ParameterSet x = weights;
    if (!tokens) x.insert("input", input);
    if (x.empty() || model.abilities().rounds) continue;
    const Tensor probe = Key(6).normal(first.detach());
    judge_derivatives(
        findings, "the output",
        [&](const ParameterSet& at) {
          std::vector<Tensor> tensors = at.tensors();
          const Tensor in = tokens ? input : tensors.back();
          if (!tokens) tensors.pop_back();
          const Tensor y =
              model.forward(weights.with(std::move(tensors)), in, pass);
          return (probe * y + y * y / 2).sum();
        },
        x, true, 1e-5);
  }
  findings.at("");
  findings.expect(equal(weights, weights_before), "changes its weights");
  findings.expect(input.equal(input_before), "changes its input");
  for (const bool training : {false, true}) {
    const Pass pass = pass_for(findings, training, hyper);
    findings.expect(particle_error(model, weights, input, pass) < 1e-10,
                    "gives particles other outputs than each by itself");
  }
}

}  // namespace

Faults model_faults(const Model& model, const Tensor& input) {
  return found("the model", [&](Findings& findings) {
    judge_model(findings, model, input);
  });
}

Faults layer_faults(const Json& section, const Tensor& input) {
  return found(named("layer", section), [&](Findings& findings) {
    const Shape shape = input.sizes().slice(1).vec();
    const std::shared_ptr<const Layer> layer =
        LayerRegistry::instance().make(section, shape);
    const Sequential model(Chain(shape).add(section));
    Shape promised = layer->output_shape();
    promised.insert(promised.begin(), input.size(0));
    const Tensor y =
        model.forward(model.initial_weights(Key(1)).to(float64()), input, {});
    findings.expect(y.sizes() == at::IntArrayRef(promised),
                    "gives another shape than it promises");
    judge_model(findings, model, input);
  });
}

}  // namespace nestgrad::testing
