#include "core/model.h"

#include <fmt/format.h>

namespace nestgrad {

ParameterSet Layer::initial_weights(const Key&) const { return {}; }

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
  const at::ArrayRef<Tensor> all(weights.tensors());
  std::size_t first = 0;
  Tensor x = input;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    x = layers_[i]->apply(all.slice(first, counts_[i]), x,
                          Pass{pass.training, pass.key.fold(i)});
    first += counts_[i];
  }
  return x;
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
