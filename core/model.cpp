#include "core/model.h"

#include <fmt/format.h>

#include <algorithm>

namespace nestgrad {

Pass Pass::training_as(const Draw& draw, const ParameterSet& hyper,
                       std::vector<Tensor>* penalties) {
  return {true,          draw.key,    &hyper,   draw.step,
          draw.response, draw.linear, penalties};
}

Pass Pass::evaluation_as(const Draw& draw) {
  Pass pass;
  pass.response = draw.response;
  pass.linear = draw.linear;
  return pass;
}

ParameterSet Layer::initial_weights(const Key&) const { return {}; }

Tensor Layer::respond(at::ArrayRef<Tensor>, const LayerResponse&, const Tensor&,
                      const Pass&) const {
  throw Unsupported("this layer cannot have other weights for each example");
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
    if (pass.response == nullptr || counts_[i] == 0) {
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
