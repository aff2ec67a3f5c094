#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>
#include <memory>
#include <optional>

#include "core/nn/batch.h"
#include "core/nn/layers/constant.h"
#include "core/nn/layers/initial.h"
#include "core/nn/layers/layer_setting.h"
#include "core/nn/layers/shapes.h"
#include "core/storage/safetensors.h"

namespace nestgrad {
namespace {

/// A linear layer whose weights are fixed, with an update of low rank that is
/// trained (Hu et al. 2021, "LoRA: low-rank adaptation of large language
/// models"):
///
///   y = W x + c + (alpha / rank) B A dropout(x)
///
/// W and c are no weights: training, weight decay and the files of a run leave
/// them out. They come from a safetensors file or, without one, are drawn from
/// a seed like those of a linear layer. (Not from the key of initial_weights(),
/// so that all networks of a run update the same W.) The weights are a: [rank,
/// in], U(+-1/sqrt(in)) at the start, and b: [out, rank], zero at the start, so
/// that training starts at W.
class Lora : public Layer {
 public:
  static Schema schema() {
    return Schema(
               "A linear layer with fixed weights W and a trained update of "
               "low rank: y = W x + c + (alpha / rank) B A x.")
        .integer("rank", 8, "Rank of the update.", at_least(1))
        .setting("alpha", 8, kAlphaMeaning, at_least(0))
        .setting("dropout", 0,
                 "Probability that a number of the update's input is set to "
                 "zero in training.",
                 from_below(0, 1))
        .text("file", kAbsent,
              "A safetensors file with W: the weights.safetensors of another "
              "run, for example. Without one, W and c are drawn from \"seed\".")
        .text("weight", kAbsent,
              "Name of W, [out, in], in the file. Default: weight.")
        .text("bias", kAbsent,
              "Name of c, [out], in the file. Without it there is no c.")
        .integer("out", kAbsent,
                 "Size of the output vectors. Only without a file, which says "
                 "it itself.",
                 at_least(1))
        .integer("seed", kAbsent,
                 "What W and c are drawn from. Only without a file, and needed "
                 "then: layers of equal size with equal seeds have equal W.",
                 at_least(0));
  }

  Lora(const Config& config, const Shape& input)
      : output_(input),
        rank_(config.integer("rank")),
        alpha_(config, "alpha", strength(kAlphaMeaning, Coordinates::log())),
        dropout_(LayerRegistry::instance().make(
            Json{{"type", "dropout"}, {"rate", config.value("dropout")}},
            input)) {
    if (input.size() != 1 && input.size() != 2) {
      refuse_input(config, "vectors [features] or sequences [time, features]",
                   input);
    }
    in_ = input.back();
    const ParameterSet fixed =
        config.has("file") ? read(config) : drawn(config);
    weight_.emplace(fixed.at("weight"));
    if (fixed.contains("bias")) bias_.emplace(fixed.at("bias"));
    output_.back() = fixed.at("weight").size(0);
  }

  Shape output_shape() const override { return output_; }

  ParameterSet initial_weights(const Key& key) const override {
    const double bound = 1 / std::sqrt(static_cast<double>(in_));
    return {{"a", symmetric_uniform(key.fold("a"), {rank_, in_}, bound)},
            {"b", at::zeros({output_.back(), rank_}, at::kFloat)}};
  }

  Tensor apply(const Weights& weights, const Tensor& x,
               const Pass& pass) const override {
    const Tensor fixed = as_one_batch(
        x, static_cast<std::int64_t>(output_.size()), [&](const Tensor& t) {
          return at::linear(t, weight_->like(t),
                            bias_ ? bias_->like(t) : Tensor());
        });
    const Tensor low =
        weights.linear(dropout_->apply(weights, x, pass), kA, kNone);
    const Tensor factor = alpha_.value(x, pass) / static_cast<double>(rank_);
    return fixed + factor * weights.linear(low, kB, kNone);
  }

  std::vector<Hyperparameter> hyperparameters() const override {
    std::vector<Hyperparameter> named = dropout_->hyperparameters();
    alpha_.declare(named);
    return named;
  }

 private:
  enum : std::size_t { kA, kB };
  static constexpr const char* kAlphaMeaning =
      "Size of the update, whatever its rank.";

  ParameterSet drawn(const Config& config) const {
    if (!config.has("out")) {
      config.fail("out", "is needed where no file says the size of the output");
    }
    if (!config.has("seed")) {
      config.fail("seed",
                  "is needed where no file has W; give layers of equal size "
                  "different seeds");
    }
    for (const char* key : {"weight", "bias"}) {
      if (config.has(key)) {
        config.fail(key, "is a name in \"file\", which is left out");
      }
    }
    const Json linear{{"type", "linear"}, {"out", config.integer("out")}};
    return LayerRegistry::instance()
        .make(linear, {in_})
        ->initial_weights(
            Key(static_cast<std::uint64_t>(config.integer("seed"))));
  }

  /// "weight" and, if it is named, "bias".
  ParameterSet read(const Config& config) const {
    if (config.has("seed")) {
      config.fail("seed", "must be left out where a file has W");
    }
    ParameterSet fixed;
    for (const char* key : {"weight", "bias"}) {
      const bool named = config.has(key);
      if (!named && key == std::string("bias")) continue;
      const Tensor tensor =
          load_tensor(config, "file", named ? config.text(key) : key, key);
      const auto type = tensor.scalar_type();
      if (!at::isFloatingType(type)) {
        config.fail(key, fmt::format("must be floating-point numbers, but is "
                                     "of the type {}",
                                     c10::toString(type)));
      }
      fixed.insert(key, tensor);
    }
    const Tensor w = fixed.at("weight");
    if (w.dim() != 2 || w.size(1) != in_) {
      config.fail("weight",
                  fmt::format("must have the shape [out, {}], but is {}", in_,
                              to_string(w.sizes().vec())));
    }
    if (fixed.contains("bias") &&
        fixed.at("bias").sizes() != at::IntArrayRef{w.size(0)}) {
      config.fail("bias",
                  fmt::format("must have the shape [{}], but is {}", w.size(0),
                              to_string(fixed.at("bias").sizes().vec())));
    }
    if (config.has("out") && config.integer("out") != w.size(0)) {
      config.fail("out", fmt::format("is {}, but the weights in the file have "
                                     "{} outputs",
                                     config.integer("out"), w.size(0)));
    }
    return fixed;
  }

  Shape output_;
  std::int64_t in_, rank_;
  LayerSetting alpha_;
  std::unique_ptr<const Layer> dropout_;
  std::optional<Constant> weight_, bias_;
};

NESTGRAD_REGISTER(LayerRegistry, "lora", Lora)

}  // namespace
}  // namespace nestgrad
