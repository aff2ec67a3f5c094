#pragma once

#include <ATen/ATen.h>

#include <cmath>
#include <vector>

#include "tests/support/layer_case.h"

namespace nestgrad {

/// `value`, with the derivative of `soft`.
inline Tensor with_derivative_of(const Tensor& soft, const Tensor& value) {
  return soft + (value - soft).detach();
}

/// A part of the state of a reversible network, in units of 2^-46, and all that
/// products have pushed out of it, in one number each: for 14 steps at most.
class PlainPart {
 public:
  PlainPart(at::IntArrayRef sizes)
      : x(at::zeros(sizes, float64())),
        c_(at::zeros(sizes, at::kLong)),
        i_(at::full(sizes, 1024, at::kLong)) {}

  void change(const Tensor& keep, const Tensor& add) {
    const Tensor n = (keep.detach() * 1024).round().to(at::kLong);
    i_ = i_ * 1024 + c_.remainder(1024);
    c_ = c_.div(1024, "floor") * n + i_.remainder(n) +
         (add.detach() * kUnits).round().to(at::kLong);
    i_ = i_.div(n, "floor");
    x = with_derivative_of(keep * x + add, c_.to(at::kDouble) / kUnits);
  }

  Tensor x;  // on the tape

 private:
  static constexpr double kUnits = 70368744177664;  // 2^46
  Tensor c_, i_;
};

/// The factor of a part, in multiples of 1/1024.
inline Tensor plain_factor(const Tensor& logit, double max_forget) {
  const Tensor soft = max_forget * at::sigmoid(logit) + 1 - max_forget;
  return with_derivative_of(soft, (soft * 1024).round().clamp_min(1) / 1024);
}

/// What is affine in the input and in h, cut into parts of the size of h.
inline std::vector<Tensor> affine_parts(const ParameterSet& w,
                                        const std::string& which,
                                        const Tensor& x, const Tensor& h) {
  const Tensor in =
      at::matmul(x, w.at("weight_ih" + which).t()) + w.at("bias" + which);
  const Tensor of = at::matmul(h, w.at("weight_hh" + which).t());
  std::vector<Tensor> parts = in.split(h.size(-1), -1);
  const std::vector<Tensor> more = of.split(h.size(-1), -1);
  for (std::size_t k = 0; k < more.size(); ++k) parts[k] = parts[k] + more[k];
  return parts;
}

/// The states of rev_gru after all steps, on the tape.
inline Tensor rev_gru_states(const ParameterSet& w, const Tensor& x,
                             double max_forget = 0.875) {
  const Shape sizes = {x.size(0), w.at("weight_candidate_1").size(0)};
  std::vector<PlainPart> h(2, PlainPart(sizes));
  std::vector<Tensor> states;
  for (const Tensor& now : x.unbind(1)) {
    for (std::size_t k = 0; k < 2; ++k) {
      const std::string which = k == 0 ? "_1" : "_2";
      const Tensor& other = h[1 - k].x;
      const auto a = affine_parts(w, which, now, other);
      const Tensor z = plain_factor(a[0], max_forget);
      const Tensor candidate =
          a[2] + at::matmul(a[1].sigmoid() * other,
                            w.at("weight_candidate" + which).t());
      h[k].change(z, (1 - z) * candidate.tanh());
    }
    states.push_back(at::cat({h[0].x, h[1].x}, -1));
  }
  return at::stack(states, 1);
}

/// Those of rev_lstm.
inline Tensor rev_lstm_states(const ParameterSet& w, const Tensor& x,
                              double max_forget = 0.875) {
  const Shape sizes = {x.size(0), w.at("weight_hh_c1").size(1)};
  std::vector<PlainPart> c(2, PlainPart(sizes)), h = c;
  std::vector<Tensor> states;
  for (const Tensor& now : x.unbind(1)) {
    for (std::size_t k = 0; k < 2; ++k) {
      const std::string which = k == 0 ? "1" : "2";
      const Tensor& other = h[1 - k].x;
      const auto a = affine_parts(w, "_c" + which, now, other);
      c[k].change(plain_factor(a[0], max_forget), a[1].sigmoid() * a[2].tanh());
      const auto b = affine_parts(w, "_h" + which, now, other);
      h[k].change(plain_factor(b[0], max_forget),
                  b[1].sigmoid() * c[k].x.tanh());
    }
    states.push_back(at::cat({h[0].x, h[1].x}, -1));
  }
  return at::stack(states, 1);
}

inline std::vector<LayerCase> reversible_cases() {
  using W = const ParameterSet&;
  using X = const Tensor&;
  return {
      {{{"type", "rev_gru"}, {"hidden", 4}},
       {3, 2},
       {4},
       [](W w, X x) { return rev_gru_states(w, x).select(1, 2); }},
      {{{"type", "rev_gru"},
        {"hidden", 4},
        {"max_forget", 0.5},
        {"output", "all"},
        {"slice", 3}},
       {3, 2},
       {3, 3},
       [](W w, X x) { return rev_gru_states(w, x, 0.5).narrow(-1, 0, 3); }},
      {{{"type", "rev_lstm"}, {"hidden", 4}, {"slice", 1}},
       {3, 2},
       {1},
       [](W w, X x) {
         return rev_lstm_states(w, x).select(1, 2).narrow(-1, 0, 1);
       }},
      {{{"type", "rev_lstm"},
        {"hidden", 2},
        {"max_forget", 1},
        {"output", "all"}},
       {3, 1},
       {3, 2},
       [](W w, X x) { return rev_lstm_states(w, x, 1); }},
  };
}

}  // namespace nestgrad
