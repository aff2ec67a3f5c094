#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/nn/layer.h"

namespace nestgrad {

/// A step of a recurrent network that can be undone. Its state has parts x_0,
/// x_1, ... that change one after another. What the change is follows from the
/// input and from the other parts:
///
///   x_j <- keep_j x_j + add_j,   keep_j, add_j = change(j, input, others)
///
/// So the change of the last part can be computed again after the step, and
/// undone; then that of the part before it, and so on.
class ReversibleCell {
 public:
  /// `hidden`: the size of the output, which two parts make up. `max_forget`:
  /// see factor().
  ReversibleCell(std::int64_t features, std::int64_t hidden, double max_forget)
      : features_(features), half_(hidden / 2), max_forget_(max_forget) {}
  virtual ~ReversibleCell() = default;

  /// The size of a part.
  std::int64_t half() const { return half_; }

  virtual std::size_t parts() const = 0;

  /// The two parts that are the output, one behind the other.
  virtual std::vector<std::size_t> outputs() const = 0;

  struct WeightShape {
    std::string name;
    std::vector<std::int64_t> sizes;
  };
  /// What the change of a part needs, under names of its own. U(+-1/sqrt(half))
  /// at the start.
  virtual std::vector<WeightShape> weights(std::size_t part) const = 0;

  struct Change {
    Tensor keep;  // made by factor()
    Tensor add;
  };
  /// `weights`: those of the part. x: [batch..., features]; state: [batch...,
  /// half] each, of which the part itself must not be read.
  virtual Change change(std::size_t part, const Weights& weights,
                        const Tensor& x,
                        const std::vector<Tensor>& state) const = 0;

 protected:
  std::int64_t features() const { return features_; }

  /// m sigmoid(logit) + 1 - m with m = max_forget, rounded as ReversibleState
  /// wants it. Rounding counts as the identity for derivatives.
  Tensor factor(const Tensor& logit) const;

 private:
  std::int64_t features_, half_;
  double max_forget_;
};

/// A recurrent network over sequences [time, features], at zero before each of
/// them, that keeps no states for backpropagation. They are recomputed from the
/// last one, backwards and exactly; see ReversibleState. So a derivative takes
/// memory for the bits that the network forgets, about one for each number of
/// the state and step, and the time of one more pass.
///
/// States are multiples of 2^-23 (2^-46 in float64), and rounding counts as the
/// identity for derivatives. A second derivative, dual numbers, and examples or
/// particles with weights of their own take the memory that other layers take.
class ReversibleLayer : public Layer {
 public:
  Shape output_shape() const override;
  ParameterSet initial_weights(const Key& key) const override;
  Tensor apply(const Weights& weights, const Tensor& x,
               const Pass& pass) const override;
  bool rounds() const override { return true; }

 protected:
  static Schema reversible_schema(std::string meaning);

  /// What the settings of every such layer say.
  struct Settings {
    Settings(const Config& config, const Shape& input);
    std::int64_t time, features, hidden, slice;
    double max_forget;
    bool last_only;
  };

  ReversibleLayer(const Settings& settings,
                  std::shared_ptr<const ReversibleCell> cell);

 private:
  std::int64_t time_, slice_;
  bool last_only_;
  std::shared_ptr<const ReversibleCell> cell_;  // a tape may outlive the layer
};

}  // namespace nestgrad
