#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/nn/chain.h"
#include "core/nn/layers/shapes.h"

namespace nestgrad {
namespace {

/// y = g(x) + f(x), where f is a chain of layers and g, the skip, is usually x
/// itself (He, Zhang, Ren and Sun 2016, "Deep residual learning for image
/// recognition"). Where f changes the shape, g is a projection: a convolution
/// of 1 x 1 pixels with the stride of f for images, a product with a matrix for
/// vectors and for every step of a sequence, both without a bias.
///
/// Weights are named as in a model: "0.weight" belongs to the first layer of f,
/// "skip.0.weight" to the first of g. Normalization and activation of the sum
/// are layers of their own, after this one.
class Residual : public Layer {
 public:
  static Schema schema() {
    return Schema("Adds the output of some layers to their input.")
        .objects("layers", LayerRegistry::instance(), kRequired,
                 "The layers, from input to output.")
        .objects("skip", LayerRegistry::instance(), Json::array(),
                 "Layers that the input passes before it is added.")
        .choice("projection", "auto",
                "What to do if both have different shapes: auto adds a linear "
                "map to the skip, a convolution of 1 x 1 pixels for images; "
                "none refuses them.",
                {"auto", "none"});
  }

  Residual(const Config& config, const Shape& input)
      : chain_(layers(config, "layers", input)),
        skip_(layers(config, "skip", input)) {
    for (const Chain* chain : {&chain_, &skip_}) {
      counts_.push_back(chain->initial_weights(Key()).size());
    }
    if (skip_.shape() == chain_.shape()) return;
    if (config.text("projection") == "none") {
      config.fail(
          "layers",
          fmt::format("must end in the shape of what they are added "
                      "to, {}, but end in {}",
                      to_string(skip_.shape()), to_string(chain_.shape())));
    }
    project(config);
    counts_[1] += 1;
  }

  Shape output_shape() const override { return chain_.shape(); }

  ParameterSet initial_weights(const Key& key) const override {
    ParameterSet weights = chain_.initial_weights(key);
    weights.append("skip.", skip_.initial_weights(key.fold("skip")));
    return weights;
  }

  Tensor apply(const Weights& weights, const Tensor& x,
               const Pass& pass) const override {
    Pass of_skip = pass;
    of_skip.key = pass.key.fold("skip");
    return skip_.apply(weights.slice(counts_[0], counts_[1]), x, of_skip) +
           chain_.apply(weights.slice(0, counts_[0]), x, pass);
  }

  bool separates_examples() const override {
    return chain_.separates_examples() && skip_.separates_examples();
  }

  bool rounds() const override { return chain_.rounds() || skip_.rounds(); }

  std::int64_t convolved() const override {
    return std::max(chain_.convolved(), skip_.convolved());
  }

  std::vector<Hyperparameter> hyperparameters() const override {
    std::vector<Hyperparameter> all = chain_.hyperparameters();
    for (Hyperparameter& named : skip_.hyperparameters()) {
      all.push_back(std::move(named));
    }
    return all;
  }

 private:
  static Chain layers(const Config& config, const char* key,
                      const Shape& input) {
    Chain chain(input);
    for (const Config& layer : config.objects(key)) chain.add(layer);
    return chain;
  }

  /// Adds a linear map to the skip that gives it the shape of f.
  void project(const Config& config) {
    const Shape from = skip_.shape(), to = chain_.shape();
    const bool plain = config.value("skip").empty();
    if (from.size() == 3 && to.size() == 3) {
      const std::int64_t largest = std::max(from[1], from[2]);
      for (std::int64_t stride = 1; stride <= largest; ++stride) {
        if ((from[1] - 1) / stride + 1 == to[1] &&
            (from[2] - 1) / stride + 1 == to[2]) {
          skip_.add(Json{{"type", "conv2d"},
                         {"out", to[0]},
                         {"kernel", 1},
                         {"stride", stride},
                         {"bias", false}});
          return;
        }
      }
    } else if (from.size() == to.size() && from.size() < 3 &&
               std::equal(from.begin(), from.end() - 1, to.begin())) {
      skip_.add(Json{{"type", "linear"}, {"out", to.back()}, {"bias", false}});
      return;
    }
    config.fail(
        "layers",
        fmt::format("no projection leads from the shape of {}, {}, to "
                    "that of {}, {}",
                    plain ? "their input" : "the skip", to_string(from),
                    plain ? "their output" : "the layers", to_string(to)));
  }

  Chain chain_, skip_;
  std::vector<std::size_t> counts_;  // weight tensors of both
};

NESTGRAD_REGISTER(LayerRegistry, "residual", Residual)

}  // namespace
}  // namespace nestgrad
