#include "core/platform/batched_product.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <limits>

#include "core/platform/blas.h"
#include "core/platform/torch_versions.h"

namespace nestgrad {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Number of multiplications for which another thread is worthwhile.
constexpr std::int64_t kWork = 100000;

constexpr std::int64_t kLargest = std::numeric_limits<int>::max();

bool by_rows(const Tensor& t) {
  return t.stride(2) == 1 && t.stride(1) >= t.size(2);
}

bool by_columns(const Tensor& t) {
  return t.stride(1) == 1 && t.stride(2) >= t.size(1);
}

/// `t` in a memory layout that BLAS reads.
Tensor readable(const Tensor& t) {
  return by_rows(t) || by_columns(t) ? t : t.contiguous();
}

template <class Number>
Matrix<const Number> matrix(const Tensor& t) {
  const bool rows = by_rows(t);
  // The stride of an axis of length one is arbitrary and may be 0.
  const std::int64_t step =
      rows ? t.stride(1) : std::max(t.stride(2), t.size(1));
  return {t.data_ptr<Number>(), static_cast<int>(step), !rows};
}

template <class Number>
Tensor multiply(const Tensor& a, const Tensor& b) {
  const Tensor out = at::empty({a.size(0), a.size(1), b.size(2)}, a.options());
  const Matrix<const Number> first = matrix<Number>(a),
                             second = matrix<Number>(b);
  Number* const c = out.data_ptr<Number>();
  const std::int64_t work = a.size(1) * a.size(2) * b.size(2);
  at::parallel_for(
      0, out.size(0), std::max<std::int64_t>(1, kWork / work),
      [&](std::int64_t begin, std::int64_t end) {
        Matrix<const Number> x = first, y = second;
        for (std::int64_t i = begin; i < end; ++i) {
          x.data = first.data + i * a.stride(0);
          y.data = second.data + i * b.stride(0);
          gemm(static_cast<int>(a.size(1)), static_cast<int>(b.size(2)),
               static_cast<int>(a.size(2)), x, y, c + i * out.stride(0));
        }
      });
  return out;
}

/// Whether to call BLAS directly. Not with MKL: LibTorch gives MKL whole
/// batches.
bool direct(const Tensor& a, const Tensor& b) {
  static const bool possible = has_gemm() && !at::hasMKL();
  const auto fits = [](const Tensor& t) {
    return t.dim() == 3 && t.is_cpu() && t.layout() == at::kStrided &&
           t.numel() > 0 && t.size(1) * t.size(2) <= kLargest &&
           t.stride(1) <= kLargest && t.stride(2) <= kLargest;
  };
  return possible && fits(a) && fits(b) &&
         !torch_versions::autocast_is_on(at::kCPU) &&
         a.scalar_type() == b.scalar_type() && a.size(0) == b.size(0) &&
         a.size(2) == b.size(1) && a.size(1) * b.size(2) <= kLargest &&
         (a.scalar_type() == at::kFloat || a.scalar_type() == at::kDouble);
}

Tensor turned(const Tensor& t) { return t.transpose(1, 2); }

/// x y in the memory layout of `like`, so that operators on both of them (as in
/// training rules) pass through memory in one order.
Tensor alike(const Tensor& like, const Tensor& x, const Tensor& y) {
  return by_rows(like) ? batched_product(x, y)
                       : turned(batched_product(turned(y), turned(x)));
}

class Product : public torch::autograd::Function<Product> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& a,
                        const Tensor& b) {
    context->save_for_backward({a, b});
    return of(a, b);
  }

  static variable_list backward(AutogradContext* context,
                                const variable_list& gradient) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &a = saved[0], &b = saved[1], &g = gradient[0];
    variable_list out(2);
    if (context->needs_input_grad(0)) out[0] = alike(a, g, turned(b));
    if (context->needs_input_grad(1)) out[1] = alike(b, turned(a), g);
    return out;
  }

  static Tensor of(const Tensor& a, const Tensor& b) {
    const Tensor x = readable(a), y = readable(b);
    return a.scalar_type() == at::kFloat ? multiply<float>(x, y)
                                         : multiply<double>(x, y);
  }
};

}  // namespace

Tensor batched_product(const Tensor& a, const Tensor& b) {
  if (!direct(a, b)) return at::bmm(a, b);
  const bool taped =
      at::GradMode::is_enabled() && (a.requires_grad() || b.requires_grad());
  return taped ? Product::apply(a, b) : Product::of(a, b);
}

}  // namespace nestgrad
