#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <memory>
#include <string>

#include "core/nn/model.h"
#include "tests/support/support.h"

namespace nestgrad {

/// A small layer, and its function written out by hand.
struct LayerCase {
  Json config;
  Shape input;
  Shape output;
  std::function<Tensor(const ParameterSet& weights, const Tensor& x)> expected;

  std::string type() const { return config["type"].get<std::string>(); }
  std::unique_ptr<Layer> make() const {
    return LayerRegistry::instance().make(config, input);
  }
};

/// What is said of a layer that cannot be made; "none" if it can.
inline std::string layer_complaint(const Json& config, const Shape& input) {
  try {
    LayerRegistry::instance().make(config, input);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "none";
}

/// The batch size of input_for().
constexpr std::int64_t kBatch = 3;

/// Float64 weights that differ from the initial ones, so that no factor is one
/// and no constant is zero.
inline ParameterSet weights_for(const LayerCase& c) {
  const ParameterSet fresh = c.make()->initial_weights(Key(1)).to(float64());
  return add(fresh, 0.3, Key(2).normal(fresh));
}

inline bool reads_tokens(const LayerCase& c) { return c.type() == "embedding"; }

inline Tensor input_for(const LayerCase& c) {
  Shape sizes = c.input;
  sizes.insert(sizes.begin(), kBatch);
  if (reads_tokens(c)) {
    return at::arange(9, float64().dtype(at::kLong)).remainder(4).view(sizes);
  }
  return Key(3).normal(at::empty(sizes, float64()));
}

}  // namespace nestgrad
