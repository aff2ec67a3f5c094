// What LibTorch takes for an operator in this process.

#include "core/tensor/kernels.h"

#include <ATen/ATen.h>

#include "core/tensor/key.h"
#include "tests/kit/numbers.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

TEST_CASE("convolutions are those in float64, forwards and backwards",
          "[kernels]") {
  const at::ScalarType type = GENERATE(at::kFloat, at::kBFloat16);
  const double limit = type == at::kFloat ? 1e-5 : 0.03;
  int number = 0;
  for (const std::int64_t in : {1, 3, 8}) {
    for (const std::int64_t out : {4, 8, 16, 20}) {
      for (const std::int64_t kernel : {1, 3, 5}) {
        for (const std::int64_t batch : {2, 50}) {
          CAPTURE(in, out, kernel, batch);
          const Key key = Key(5).fold(static_cast<std::uint64_t>(number++));
          const auto draw = [&](const char* name, at::IntArrayRef shape) {
            return key.fold(name)
                .normal(at::empty(shape, at::kDouble))
                .to(type)
                .to(at::kDouble);
          };
          const Tensor x = draw("x", {batch, in, 9, 9}),
                       w = draw("w", {out, in, kernel, kernel}),
                       b = draw("b", {out}), g = draw("g", {batch, out, 9, 9});
          const auto all = [&](at::ScalarType t) {
            const std::int64_t p = kernel / 2;
            const auto [gx, gw, gb] = at::convolution_backward(
                g.to(t), x.to(t), w.to(t), at::IntArrayRef(out), {1, 1}, {p, p},
                {1, 1}, false, {0, 0}, 1, {true, true, true});
            return std::vector<Tensor>{
                at::conv2d(x.to(t), w.to(t), b.to(t), 1, p), gx, gw, gb};
          };
          const std::vector<Tensor> right = all(at::kDouble), found = all(type);
          for (std::size_t i = 0; i < found.size(); ++i) {
            CHECK(relative_error(found[i].to(at::kDouble), right[i]) < limit);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace nestgrad
