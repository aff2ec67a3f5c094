#include "core/nn/model.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/particles.h"

namespace nestgrad {

namespace {

/// apply(i, pass) for every particle of a pass, as one tensor; penalties as
/// one list of tensors of one number for each.
template <class Apply>
Tensor one_after_another(const Pass& pass, Apply&& apply) {
  std::vector<Tensor> outputs;
  std::vector<std::vector<Tensor>> penalties;
  for (std::int64_t i = 0; i < pass.particles; ++i) {
    const ParameterSet hyper =
        pass.hyper != nullptr ? particle(*pass.hyper, i) : ParameterSet();
    std::vector<Tensor> own;
    outputs.push_back(apply(i, pass.of_particle(hyper, &own)));
    penalties.resize(own.size());
    for (std::size_t j = 0; j < own.size(); ++j) penalties[j].push_back(own[j]);
  }
  if (pass.penalties != nullptr) {
    for (const auto& same : penalties) {
      pass.penalties->push_back(at::stack(same));
    }
  }
  return at::stack(outputs);
}

/// A layer whose weights have the noise of pass.flips.
Tensor with_flips(const Layer& layer, at::ArrayRef<Tensor> weights,
                  const Tensor& input, const Pass& pass) {
  const Flips& flips = *pass.flips;
  const Key signs = pass.key.fold("signs");
  std::vector<Tensor> noise = Layer::noise_for(weights, pass.key.fold("noise"));
  for (Tensor& t : noise) t = (flips.sign * flips.deviation) * t;
  if (flips.scores != nullptr) {
    flips.scores->push_back(layer.score(weights, noise, input.size(0), signs));
  }
  std::vector<Tensor> numbers;
  for (const Tensor& t : weights) numbers.push_back(t.detach());
  return layer.flip(numbers, noise, input, signs, pass);
}

}  // namespace

Pass Pass::of_particle(const ParameterSet& own_hyper,
                       std::vector<Tensor>* own_penalties) const {
  Pass out = *this;
  out.particles = 0;
  out.hyper = &own_hyper;
  out.penalties = own_penalties;
  return out;
}

Pass Pass::training_as(const Draw& draw, const ParameterSet& hyper,
                       std::vector<Tensor>* penalties) {
  return {true,           draw.key,      &hyper,      draw.step,
          draw.particles, draw.response, draw.linear, penalties};
}

Pass Pass::evaluation_as(const Draw& draw, const ParameterSet& hyper) {
  Pass pass;
  pass.hyper = &hyper;
  pass.particles = draw.particles;
  pass.response = draw.response;
  pass.linear = draw.linear;
  return pass;
}

Tensor Model::forward_particles(const ParameterSet& weights,
                                const Tensor& input, const Pass& pass) const {
  return one_after_another(pass, [&](std::int64_t i, const Pass& one) {
    return forward(particle(weights, i), input, one);
  });
}

Tensor Layer::apply_particles(at::ArrayRef<Tensor> weights, const Tensor& input,
                              const Pass& pass) const {
  return one_after_another(pass, [&](std::int64_t i, const Pass& one) {
    std::vector<Tensor> own;
    for (const Tensor& t : weights) own.push_back(t.select(0, i));
    return apply(own, input.select(0, i), one);
  });
}

Tensor Layer::apply_to_all(const Tensor& input, const Pass& pass) const {
  Pass one = pass;
  one.particles = 0;
  if (input.stride(0) == 0) {
    return repeated(apply({}, input.select(0, 0), one), pass.particles);
  }
  const Tensor y = apply({}, input.flatten(0, 1), one);
  return y.unflatten(0, {input.size(0), input.size(1)});
}

ParameterSet Layer::initial_weights(const Key&) const { return {}; }

Tensor Layer::respond(at::ArrayRef<Tensor>, const LayerResponse&, const Tensor&,
                      const Pass&) const {
  throw Unsupported("this layer cannot have other weights for each example");
}

Tensor Layer::flip(at::ArrayRef<Tensor>, at::ArrayRef<Tensor>, const Tensor&,
                   const Key&, const Pass&) const {
  throw Unsupported("the weights of this layer cannot be flipped");
}

Tensor Layer::score(at::ArrayRef<Tensor>, at::ArrayRef<Tensor>, std::int64_t,
                    const Key&) const {
  throw Unsupported("the weights of this layer cannot be flipped");
}

std::vector<Tensor> Layer::noise_for(at::ArrayRef<Tensor> weights,
                                     const Key& key) {
  std::vector<Tensor> out;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    out.push_back(key.fold(i).normal(weights[i]));
  }
  return out;
}

Sequential::Sequential(std::vector<LayerPtr> layers)
    : layers_(std::move(layers)) {
  for (const LayerPtr& layer : layers_) {
    counts_.push_back(layer->initial_weights(Key()).size());
    total_ += counts_.back();
  }
}

ParameterSet Sequential::initial_weights(const Key& key) const {
  ParameterSet weights;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    weights.append(fmt::format("{}.", i),
                   layers_[i]->initial_weights(key.fold(i)));
  }
  return weights;
}

Tensor Sequential::forward(const ParameterSet& weights, const Tensor& input,
                           const Pass& pass) const {
  require(weights.size() == total_,
          "the model has {} weight tensors, but was given {}", total_,
          weights.size());
  require(pass.response == nullptr || (pass.response->slopes.size() == total_ &&
                                       pass.response->gates.size() == total_),
          "the response does not belong to the {} weight tensors of the model",
          total_);
  const at::ArrayRef<Tensor> all(weights.tensors());
  std::size_t first = 0;
  Tensor x = input;
  Pass own = pass;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    own.key = pass.key.fold(i);
    const auto weights_of_layer = all.slice(first, counts_[i]);
    if (pass.particles > 0) {
      x = layers_[i]->apply_particles(weights_of_layer, x, own);
    } else if (pass.flips != nullptr && counts_[i] > 0) {
      x = with_flips(*layers_[i], weights_of_layer, x, own);
    } else if (pass.response == nullptr || counts_[i] == 0) {
      x = layers_[i]->apply(weights_of_layer, x, own);
    } else {
      const RowResponse& r = *pass.response;
      const auto part = [&](const std::vector<Tensor>& tensors) {
        return at::ArrayRef<Tensor>(tensors).slice(first, counts_[i]);
      };
      x = layers_[i]->respond(weights_of_layer,
                              {part(r.slopes), part(r.gates), r.displacement},
                              x, own);
    }
    first += counts_[i];
  }
  return x;
}

Tensor Sequential::forward_particles(const ParameterSet& weights,
                                     const Tensor& input,
                                     const Pass& pass) const {
  return forward(weights, repeated(input, pass.particles), pass);
}

std::vector<Hyperparameter> Sequential::hyperparameters() const {
  std::vector<Hyperparameter> all;
  for (const LayerPtr& layer : layers_) {
    for (const Hyperparameter& named : layer->hyperparameters()) {
      const auto known = std::find_if(
          all.begin(), all.end(),
          [&](const Hyperparameter& h) { return h.name == named.name; });
      if (known == all.end()) {
        all.push_back(named);
        continue;
      }
      known->differentiable = known->differentiable && named.differentiable;
      if (known->granularities.size() < named.granularities.size()) {
        known->granularities = named.granularities;
      } else if (named.granularities.size() > 1) {
        std::int64_t& count = known->granularities[1].second;
        count = std::max(count, named.granularities[1].second);
      }
    }
  }
  return all;
}

bool Sequential::responds() const {
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    if (counts_[i] > 0 && !layers_[i]->responds()) return false;
  }
  return true;
}

bool Sequential::flips() const {
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    if (counts_[i] > 0 && !layers_[i]->flips()) return false;
  }
  return true;
}

LayerStack& LayerStack::add(const Json& layer) {
  layers_.push_back(LayerRegistry::instance().make(layer, shape_));
  shape_ = layers_.back()->output_shape();
  return *this;
}

LayerStack& LayerStack::add(const Config& layer) {
  layers_.push_back(LayerRegistry::instance().make(layer, shape_));
  shape_ = layers_.back()->output_shape();
  return *this;
}

}  // namespace nestgrad
