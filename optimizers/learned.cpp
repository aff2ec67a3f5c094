#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>

#include "core/hyperparameter.h"
#include "core/optimizer.h"
#include "core/particles.h"
#include "core/storage/safetensors.h"
#include "core/tensor/key.h"
#include "core/tensor/part.h"

namespace nestgrad {
namespace {

/// A learned optimizer: one small network for all weights corrects the step of
/// Adam (after Metz, Maheswaranathan, Freeman, Poole and Sohl-Dickstein 2020,
/// "Tasks, stability, architecture, and compute: training more effective
/// learned optimizers, and using them to train themselves"). With t = 1, 2, ...
///
///   m_b <- b m_b + (1 - b) g                           b = 0.5, 0.9, 0.99
///   v   <- 0.999 v + 0.001 g^2
///   r    = sqrt(v / (1 - 0.999^t) + 1e-30) + 1e-8
///   u_b  = m_b / (1 - b^t) / r
///   d, s = network(features)
///   w   <- w - lr exp(s) (u_0.9 + d)
///
/// The features of a weight are g / r, u_0.5, u_0.9, u_0.99, w / q(w),
/// log(r / q(r)) / 4, log(q(w)) / 4, t / length and log(t) / log(length), where
/// q is the root of the mean square over the weight's tensor. Two layers of
/// `hidden` units with tanh follow, then a linear one, which is zero at the
/// start: so the rule begins as Adam. A weight whose gradient has always been
/// zero stays where it is, as with Adam.
///
/// The numbers of the network are one vector, a hyperparameter or from a file.
class Learned : public Optimizer {
 public:
  explicit Learned(const Config& config)
      : lr_(Setting::read(config, "lr")),
        length_(static_cast<double>(config.integer("length"))),
        hidden_(config.integer("hidden")) {
    if (config.has("file")) numbers_ = read(config);
    if (config.has("network")) {
      name_ = Setting::read(config, "network").name();
      if (name_.empty()) {
        config.fail("network",
                    "must name a hyperparameter, such as \"$network\"");
      }
    } else if (!config.has("file")) {
      config.fail("file",
                  "is needed, or \"network\": the name of the hyperparameter "
                  "that is to be learned");
    }
    if (!numbers_.defined()) {
      numbers_ = fresh(Key(static_cast<std::uint64_t>(config.integer("seed"))));
    }
  }

  static Schema schema() {
    return Schema(
               "A learned optimizer: one small network for all weights "
               "corrects the step of Adam.")
        .setting("lr", 0.003, "Learning rate of the step that is corrected.",
                 at_least(0))
        .integer("length", 500,
                 "Steps of a training run, so that the network knows how far "
                 "training is.",
                 at_least(2))
        .integer("hidden", 16, "Units of each of its two hidden layers.",
                 at_least(1))
        .text("network", kAbsent,
              "Name of the hyperparameter that the network is, such as "
              "\"$network\", to learn it.")
        .text("file", kAbsent,
              "A safetensors file with a learned \"network\": the "
              "hyperparameters.safetensors of a run.")
        .integer("seed", 1, "What a new network is drawn from.", at_least(0));
  }

  bool vectorizes() const override { return true; }
  bool sees_tensors() const override { return true; }

  ParameterSet slots(const ParameterSet& weights) const override {
    ParameterSet slots;
    for (const char* name :
         {"mean_of_2/", "mean_of_10/", "mean_of_100/", "second_moment/"}) {
      slots.append(name, weights.zeros());
    }
    return slots;
  }

  std::vector<Hyperparameter> hyperparameters(
      const ParameterSet& weights) const override {
    if (name_.empty()) return {};
    Hyperparameter h;
    h.name = name_;
    h.meaning = "The network of the learned optimizer.";
    h.initial = numbers_.to(weights.tensors().front().options());
    return {h};
  }

 private:
  static constexpr std::int64_t kFeatures = 9, kOutputs = 2;
  static constexpr double kDecays[] = {0.5, 0.9, 0.99}, kSecondDecay = 0.999;

  std::int64_t count() const {
    return (kFeatures + 1) * hidden_ + (hidden_ + 1) * (hidden_ + kOutputs);
  }

  Tensor fresh(const Key& key) const {
    const auto layer = [&](std::int64_t in, std::uint64_t n) {
      return key.fold(n).normal(at::empty({in * hidden_}, at::kFloat)) /
             std::sqrt(static_cast<double>(in));
    };
    const Tensor zeros = at::zeros({hidden_}, at::kFloat);
    return at::cat({layer(kFeatures, 0), zeros, layer(hidden_, 1), zeros,
                    at::zeros({(hidden_ + 1) * kOutputs}, at::kFloat)});
  }

  Tensor read(const Config& config) const {
    const Tensor numbers = load_tensor(config, "file", "network");
    if (numbers.numel() != count()) {
      config.fail(
          "file",
          fmt::format("'{}' has a network of {} numbers, but with {} "
                      "hidden units it has {}",
                      config.path("file"), numbers.numel(), hidden_, count()));
    }
    return numbers.flatten();
  }

  TrainState update(const TrainState& state, const ParameterSet& gradient,
                    const ParameterSet& natural) const override {
    const std::size_t n = state.weights.size();
    const bool several = state.particles > 0;
    const ParameterSet one =
        several ? particle(state.weights, 0) : state.weights;
    const auto joined = [&](const ParameterSet& set) {
      return several ? set.flatten_each() : set.flatten();
    };
    const Tensor w = joined(state.weights), g = joined(gradient);
    const auto t = static_cast<double>(state.step + 1);

    std::vector<Tensor> slots, directions;
    const auto slot = [&](double decay, const Tensor& x) {
      const Tensor old =
          joined(part(state.slots, slots.size() * n, state.weights));
      slots.push_back(decay * old + (1 - decay) * x);
      return slots.back() / (1 - std::pow(decay, t));
    };
    for (const double decay : kDecays) directions.push_back(slot(decay, g));
    const Tensor r = (slot(kSecondDecay, g * g) + 1e-30).sqrt() + 1e-8;
    for (Tensor& u : directions) u = u / r;

    // The root mean square of each tensor, at each of its numbers.
    const auto q = [&](const Tensor& x) {
      std::vector<Tensor> sizes;
      for (const Tensor& t : one.unflatten(x).tensors()) {
        const Tensor numbers =
            several ? t.reshape({t.size(0), -1}) : t.reshape(-1);
        const Tensor mean = numbers.square().mean(-1, /*keepdim=*/true);
        sizes.push_back((mean + 1e-12).sqrt().expand_as(numbers));
      }
      return at::cat(sizes, -1);
    };
    const Tensor q_of_w = q(w), q_of_r = q(r);
    std::vector<Tensor> features = {g / r};
    features.insert(features.end(), directions.begin(), directions.end());
    features.push_back(w / q_of_w);
    features.push_back((r / q_of_r).log() / 4);
    features.push_back(q_of_w.log() / 4);
    features.push_back(at::full_like(w, t / length_));
    features.push_back(at::full_like(w, std::log(t) / std::log(length_)));
    const Tensor out = network(at::stack(features, -1), natural);

    const Tensor correction =
        out.select(-1, 1).exp() * (directions[1] + out.select(-1, 0));
    const Tensor seen = (slots.back() > 0).to(w.scalar_type());
    const ParameterSet step = one.unflatten(correction * seen);
    std::vector<Tensor> after;
    for (const Tensor& s : slots) {
      for (const Tensor& t : one.unflatten(s).tensors()) after.push_back(t);
    }
    return {subtract(state.weights, lr_.scale(natural, state), step),
            state.slots.with(std::move(after)), state.step + 1};
  }

  /// d and s for features [particles..., weights, kFeatures].
  Tensor network(const Tensor& features, const ParameterSet& natural) const {
    Tensor numbers = name_.empty() ? numbers_ : natural.at(name_);
    numbers = numbers.to(features.options());
    require(numbers.size(-1) == count(),
            "the network of the learned optimizer has {} numbers and not {}",
            numbers.size(-1), count());
    std::int64_t first = 0;
    const auto layer = [&](const Tensor& x, std::int64_t out) {
      const std::int64_t in = x.size(-1);
      const auto next = [&](std::int64_t rows) {
        first += rows * out;
        return numbers.narrow(-1, first - rows * out, rows * out)
            .unflatten(-1, {rows, out});
      };
      const Tensor matrix = next(in);
      return at::matmul(x, matrix) + next(1);
    };
    const Tensor x = layer(features, hidden_).tanh();
    return layer(layer(x, hidden_).tanh(), kOutputs);
  }

  Setting lr_;
  double length_;
  std::int64_t hidden_;
  std::string name_;  // "" if the network is not learned
  Tensor numbers_;    // of the network at the start
};

NESTGRAD_REGISTER(OptimizerRegistry, "learned", Learned)

}  // namespace
}  // namespace nestgrad
