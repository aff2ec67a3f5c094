#include "core/nn/chain.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/platform/error.h"

namespace nestgrad {

ParameterSet Layer::initial_weights(const Key&) const { return {}; }

namespace {

/// Adds a hyperparameter that a layer names, or merges it with an equal name.
void add_named(std::vector<Hyperparameter>& all, const Hyperparameter& named) {
  const auto known = std::find_if(
      all.begin(), all.end(),
      [&](const Hyperparameter& h) { return h.name == named.name; });
  if (known == all.end()) {
    all.push_back(named);
    return;
  }
  known->differentiable = known->differentiable && named.differentiable;
  if (known->granularities.size() < named.granularities.size()) {
    known->granularities = named.granularities;
  } else if (named.granularities.size() > 1) {
    std::int64_t& count = known->granularities[1].second;
    count = std::max(count, named.granularities[1].second);
  }
}

}  // namespace

Chain& Chain::add(const Json& layer) {
  append(LayerRegistry::instance().make(layer, shape_));
  return *this;
}

Chain& Chain::add(const Config& layer) {
  append(LayerRegistry::instance().make(layer, shape_));
  return *this;
}

void Chain::append(std::unique_ptr<const Layer> layer) {
  shape_before_ = shape_;
  shape_ = layer->output_shape();
  convolved_ = std::max(convolved_, layer->convolved());
  counts_.push_back(layer->initial_weights(Key()).size());
  layers_.push_back(std::move(layer));
}

ParameterSet Chain::initial_weights(const Key& key) const {
  ParameterSet weights;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    weights.append(fmt::format("{}.", i),
                   layers_[i]->initial_weights(key.fold(i)));
  }
  return weights;
}

Tensor Chain::apply(const Weights& weights, const Tensor& x,
                    const Pass& pass) const {
  return through(layers_.size(), weights, x, pass);
}

Tensor Chain::before_last(const Weights& weights, const Tensor& x,
                          const Pass& pass) const {
  require(!layers_.empty(), "there is no last layer");
  return through(layers_.size() - 1, weights, x, pass);
}

std::int64_t Chain::axes_before_last() const {
  return static_cast<std::int64_t>(shape_before_.size());
}

Tensor Chain::through(std::size_t layers, const Weights& weights,
                      const Tensor& x, const Pass& pass) const {
  const std::size_t total =
      std::accumulate(counts_.begin(), counts_.end(), std::size_t{0});
  require(weights.size() == total,
          "the layers have {} weight tensors, but were given {}", total,
          weights.size());
  Tensor y = x;
  std::size_t first = 0;
  for (std::size_t i = 0; i < layers; ++i) {
    y = layers_[i]->apply(weights.slice(first, counts_[i]), y,
                          pass.of_layer(i));
    first += counts_[i];
  }
  return y;
}

bool Chain::is_invertible() const {
  return std::all_of(layers_.begin(), layers_.end(), [](const auto& layer) {
    return dynamic_cast<const InvertibleLayer*>(layer.get()) != nullptr;
  });
}

std::size_t Chain::first_weight(std::size_t i) const {
  return std::accumulate(counts_.begin(),
                         counts_.begin() + static_cast<std::ptrdiff_t>(i),
                         std::size_t{0});
}

Tensor Chain::inverse(const Weights& weights, const Tensor& y,
                      const Pass& pass) const {
  Tensor x = y;
  for (std::size_t i = layers_.size(); i-- > 0;) {
    x = dynamic_cast<const InvertibleLayer&>(*layers_[i])
            .inverse(weights.slice(first_weight(i), counts_[i]), x,
                     pass.of_layer(i));
  }
  return x;
}

bool Chain::separates_examples() const {
  return std::all_of(layers_.begin(), layers_.end(), [](const auto& layer) {
    return layer->separates_examples();
  });
}

bool Chain::rounds() const {
  return std::any_of(layers_.begin(), layers_.end(),
                     [](const auto& layer) { return layer->rounds(); });
}

std::vector<Hyperparameter> Chain::hyperparameters() const {
  std::vector<Hyperparameter> all;
  for (const auto& layer : layers_) {
    for (const Hyperparameter& named : layer->hyperparameters()) {
      add_named(all, named);
    }
  }
  return all;
}

}  // namespace nestgrad
