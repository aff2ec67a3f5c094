#include "core/nn/layers/row_wise.h"

#include <ATen/ATen.h>

#include "core/nn/layers/flip_score.h"
#include "core/tensor/autodiff.h"

namespace nestgrad {
namespace {

/// [examples, channels] or [channels], brought to the dimensions of an output:
/// [batch, channels, ...] for vectors and images, [batch, time, channels].
Tensor along_channels(const Tensor& numbers, const Tensor& output) {
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(output.dim()), 1);
  sizes[output.dim() == 3 ? 2 : 1] = numbers.size(-1);
  if (numbers.dim() == 2) sizes[0] = numbers.size(0);
  return numbers.view(sizes);
}

}  // namespace

Tensor RowWise::apply(at::ArrayRef<Tensor> weights, const Tensor& input,
                      const Pass&) const {
  return map(weights[0], weights.size() > 1 ? weights[1] : Tensor(), input);
}

Tensor RowWise::flipped(at::ArrayRef<Tensor> weights,
                        at::ArrayRef<Tensor> noise, const Tensor& input,
                        std::int64_t channels, const Key& signs) const {
  // One sign for each example and channel.
  const auto drawn = [&](const char* name, const Tensor& like) {
    std::vector<std::int64_t> sizes(static_cast<std::size_t>(like.dim()), 1);
    const auto axis = static_cast<std::size_t>(
        channels < 0 ? channels + like.dim() : channels);
    sizes[0] = like.size(0);
    sizes[axis] = like.size(channels);
    return signs.fold(name).signs(at::empty(sizes, like.options()));
  };
  const Tensor bias = weights.size() > 1 ? weights[1] : Tensor();
  const Tensor dbias = noise.size() > 1 ? noise[1] : Tensor();
  const Tensor y = map(weights[0], bias, input);
  return y + drawn("outputs", y) *
                 map(noise[0], dbias, drawn("inputs", input) * input);
}

Tensor RowWise::score(at::ArrayRef<Tensor> weights, at::ArrayRef<Tensor> noise,
                      std::int64_t examples, const Key& signs) const {
  const Tensor& w = weights[0];
  const auto drawn = [&](const char* name, std::int64_t channels) {
    return signs.fold(name).signs(at::empty({examples, channels}, w.options()));
  };
  const bool bias = weights.size() > 1;
  return flip_score(w, noise[0], bias ? weights[1] : Tensor(),
                    bias ? noise[1] : Tensor(), drawn("outputs", w.size(0)),
                    drawn("inputs", w.size(1)));
}

Tensor RowWise::respond(at::ArrayRef<Tensor> weights, const LayerResponse& r,
                        const Tensor& input, const Pass& pass) const {
  const Tensor y = apply(weights, input, pass);
  const Tensor product =
      map(r.slopes[0], {}, pass.linear ? primal(input) : input);
  const auto scales = [&](std::size_t i) {
    return along_channels(at::mm(r.displacement, r.gates[i].t()), y);
  };
  const auto answer = [&](const Tensor& from) {
    if (weights.size() == 1) return at::addcmul(from, scales(0), product);
    // The bias first: as small as it is.
    const Tensor bias = scales(1) * along_channels(r.slopes[1], y);
    return at::addcmul(from + bias, scales(0), product);
  };
  if (!pass.linear) return answer(y);
  return with_tangent(primal(y), answer(tangent(y)));
}

}  // namespace nestgrad
