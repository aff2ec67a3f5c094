#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "core/tensor/parameter_set.h"

namespace nestgrad {

struct ConvolutionOptions {
  std::int64_t stride = 1;   ///< between two positions of the kernel
  std::int64_t padding = 0;  ///< zeros on both sides of each axis
};

/// In the place of a position: there is no such weight tensor.
constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

class WeightSlice;

/// The weight tensors of a network or of one of its layers.
///
/// A layer is written as if every example of a batch had weights of its own. It
/// says which weight tensor meets which input, and how. What it gets back for
/// an example is computed with the weights of that example. A layer does not
/// know which examples have equal weights. That is decided elsewhere: usually
/// all do, but particles are trained side by side with different weights, and
/// self-tuning networks and flipout change the weights from example to example.
///
/// A batch has the shape [batch..., shape of one example]. The axes `batch...`
/// are [examples], or [particles, examples] if there are particles. A layer
/// therefore counts axes from the end and keeps those of the batch as they are.
/// In what is equal for all particles, their axis has the stride 0.
///
/// A weight tensor is named by its position in Layer::initial_weights(), and W
/// and b below stand for the tensors at the positions w and b. Results are on
/// the tape of the input and of all tensors that the weights are made of, and
/// can be differentiated any number of times. If the input or the weights are
/// dual numbers, so are the results; there are none with particles.
///
/// An object is used by one thread, during one pass through a network.
class Weights {
 public:
  virtual ~Weights() = default;
  Weights(const Weights&) = delete;
  Weights& operator=(const Weights&) = delete;

  /// The number of weight tensors.
  virtual std::size_t size() const = 0;

  /// W x + b along the last axis. x: [batch..., any..., in], W: [out, in],
  /// b: [out] or kNone.
  virtual Tensor linear(const Tensor& x, std::size_t w,
                        std::size_t b) const = 0;

  /// The cross-correlation of x, [batch..., in, space...], with the kernels W,
  /// [out, in, kernel...], plus b, [out] or kNone. One to three axes of space.
  virtual Tensor convolution(const Tensor& x, const ConvolutionOptions& options,
                             std::size_t w, std::size_t b) const = 0;

  /// Row t of W for each token t. tokens: [batch..., any...], W: [rows, out].
  virtual Tensor lookup(const Tensor& tokens, std::size_t w) const = 0;

  /// W itself, for what the other functions cannot do: [batch..., shape of W].
  /// Axes of the batch along which W does not change are 1 or left out. If
  /// examples have different weights, it takes memory for each of them.
  virtual Tensor tensor(std::size_t w) const = 0;

  /// A tensor of the shape and type of W without axes of the batch. Its numbers
  /// mean nothing.
  virtual Tensor like(std::size_t w) const = 0;

  // Without positions: W is the first tensor, b the second if there is one.

  Tensor linear(const Tensor& x) const { return linear(x, 0, second()); }
  Tensor convolution(const Tensor& x, const ConvolutionOptions& options) const {
    return convolution(x, options, 0, second());
  }
  Tensor lookup(const Tensor& tokens) const { return lookup(tokens, 0); }

  /// W x + b, number by number. W and b: [channels]; `axis`, counted from the
  /// end, is the axis of the channels in x.
  Tensor scale_and_shift(const Tensor& x, std::int64_t axis) const;

  /// `count` of the tensors, from position `first` on, for a layer inside of
  /// this one. Its positions start at 0 again. Refers to this object.
  WeightSlice slice(std::size_t first, std::size_t count) const;

  /// The number of particles, 0 if the batch has no axis for them.
  virtual std::int64_t particles() const { return 0; }

  /// Whether weights differ between the examples of a batch.
  virtual bool per_example() const { return false; }

  /// Whether the whole batch has one set of weights, those that tensor() gives.
  /// Only to choose a faster operation with the same result.
  bool shared() const { return particles() == 0 && !per_example(); }

  /// The number of axes of the batch: 2 with particles, 1 without.
  std::int64_t batch_axes() const { return particles() > 0 ? 2 : 1; }

 protected:
  Weights() = default;

 private:
  std::size_t second() const { return size() > 1 ? 1 : kNone; }
};

/// See Weights::slice().
class WeightSlice final : public Weights {
 public:
  WeightSlice(const Weights& all, std::size_t first, std::size_t count);

  std::size_t size() const override { return count_; }
  std::int64_t particles() const override { return all_.particles(); }
  bool per_example() const override { return all_.per_example(); }
  using Weights::convolution;
  using Weights::linear;
  using Weights::lookup;
  Tensor linear(const Tensor& x, std::size_t w, std::size_t b) const override;
  Tensor convolution(const Tensor& x, const ConvolutionOptions& options,
                     std::size_t w, std::size_t b) const override;
  Tensor lookup(const Tensor& tokens, std::size_t w) const override;
  Tensor tensor(std::size_t w) const override;
  Tensor like(std::size_t w) const override;

 private:
  std::size_t position(std::size_t w) const;

  const Weights& all_;
  std::size_t first_, count_;
};

}  // namespace nestgrad
