#include "core/nn/model.h"

#include <ATen/ATen.h>

#include "core/nn/batch.h"
#include "core/nn/row_wise_weights.h"
#include "core/nn/weight_forms.h"
#include "core/particles.h"
#include "core/platform/error.h"
#include "core/platform/threads.h"

namespace nestgrad {

Tensor Model::forward(const ParameterSet& weights, const Tensor& input,
                      const Pass& pass) const {
  return apply(SharedWeights(weights), input, pass);
}

Tensor Model::forward(const ParameterSet& weights, const Tensor& input,
                      const Pass& pass, const Draw& draw) const {
  if (draw.particles > 0) {
    return apply(ParticleWeights(weights, draw.particles), input, pass);
  }
  const SharedWeights shared(weights);
  if (draw.response == nullptr) return apply(shared, input, pass);
  return apply(RespondingWeights(shared, *draw.response), input, pass);
}

Tensor Model::features(const Weights&, const Tensor&, const Pass&) const {
  throw Unsupported("this model does not tell what its last layer gets");
}

Tensor Model::inverse(const Weights&, const Tensor&, const Pass&) const {
  throw Unsupported("this model has layers that cannot be undone");
}

Tensor Sequential::apply(const Weights& weights, const Tensor& input,
                         const Pass& pass) const {
  return chain_.apply(weights, batch(weights, input, pass), pass);
}

Tensor Sequential::features(const Weights& weights, const Tensor& input,
                            const Pass& pass) const {
  const Tensor out =
      chain_.before_last(weights, batch(weights, input, pass), pass);
  const std::int64_t axes = out.dim() - chain_.axes_before_last();
  return out.flatten(axes);
}

Tensor Sequential::batch(const Weights& weights, const Tensor& input,
                         const Pass& pass) const {
  require(
      (pass.hyper_axis == HyperAxis::kParticles) == (weights.particles() > 0),
      "the weights or the hyperparameters have an axis of particles, but "
      "not both");
  require(pass.hyper_axis != HyperAxis::kExamples || weights.per_example(),
          "there are hyperparameters for each example, but no weights");
  const Tensor batch = with_batch_axes(input, weights.particles());
  std::int64_t convolved = chain_.convolved();
  for (std::int64_t axis = 0; axis < batch.dim() - chain_.axes(); ++axis) {
    convolved *= batch.size(axis);
  }
  give_threads_to_convolutions(convolved);
  return batch;
}

namespace {

/// tensor(w) of every weight tensor.
template <class F>
std::vector<Tensor> each_tensor(const Weights& weights, F&& tensor) {
  std::vector<Tensor> out;
  for (std::size_t w = 0; w < weights.size(); ++w) out.push_back(tensor(w));
  return out;
}

/// Whether one of the weights has the axes of a convolution of images, [out,
/// in, height, width].
bool has_kernels(const Weights& weights) {
  for (std::size_t w = 0; w < weights.size(); ++w) {
    if (weights.like(w).dim() == 4) return true;
  }
  return false;
}

}  // namespace

Tensor ForeignModel::apply(const Weights& weights, const Tensor& input,
                           const Pass& pass) const {
  if (weights.per_example()) {
    throw Unsupported(
        "this model cannot have weights that differ between examples; a model "
        "made of layers can");
  }
  give_threads_to_convolutions(has_kernels(weights) ? input.numel() : 0);
  if (weights.particles() == 0) {
    return call(
        each_tensor(weights, [&](std::size_t w) { return weights.tensor(w); }),
        input, pass);
  }
  std::vector<Tensor> outputs;
  std::vector<std::vector<Tensor>> penalties;  // of all particles, by place
  for (std::int64_t i = 0; i < weights.particles(); ++i) {
    const ParameterSet hyper =
        pass.hyper != nullptr ? particle(*pass.hyper, i) : ParameterSet();
    std::vector<Tensor> of_particle;
    Pass one = pass;
    one.hyper = &hyper;
    one.hyper_axis = HyperAxis::kNone;
    one.penalties = &of_particle;
    outputs.push_back(call(
        each_tensor(weights,
                    [&](std::size_t w) { return weights.tensor(w)[i][0]; }),
        input, one));
    penalties.resize(of_particle.size());
    for (std::size_t j = 0; j < of_particle.size(); ++j) {
      penalties[j].push_back(of_particle[j]);
    }
  }
  if (pass.penalties != nullptr) {
    for (const auto& same_place : penalties) {
      pass.penalties->push_back(at::stack(same_place));
    }
  }
  return at::stack(outputs);
}

}  // namespace nestgrad
