#include "core/nn/exported/operators.h"

#include <ATen/ATen.h>
#include <torch/csrc/jit/frontend/function_schema_parser.h>

#include <cmath>
#include <limits>
#include <map>

#include "core/nn/exported/symbolic.h"
#include "core/platform/error.h"

namespace nestgrad {
namespace {

using torch::jit::Stack;

at::Tensor optional_tensor(const c10::IValue& value) {
  return value.isNone() ? at::Tensor() : value.toTensor();
}

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// softmax(x) along the last axis, 0 in rows that are minus infinity
/// everywhere.
at::Tensor safe_softmax(const at::Tensor& x) {
  const at::Tensor none = x.eq(-kInfinity).all(-1, /*keepdim=*/true);
  return x.masked_fill(none, 0).softmax(-1).masked_fill(none, 0);
}

/// As torch.nn.functional.scaled_dot_product_attention.
void attention(Stack& stack) {
  const auto arguments = torch::jit::pop(stack, 8);
  const at::Tensor q = arguments[0].toTensor();
  at::Tensor k = arguments[1].toTensor(), v = arguments[2].toTensor();
  const at::Tensor mask = optional_tensor(arguments[3]);
  const double rate = arguments[4].toDouble();
  const bool causal = arguments[5].toBool();
  require(q.dim() >= 2 && k.dim() >= 2 && v.dim() >= 2 && q.size(-1) > 0,
          "attention needs queries, keys and values with two axes or more");
  const double scale = arguments[6].isNone()
                           ? 1 / std::sqrt(static_cast<double>(q.size(-1)))
                           : arguments[6].toDouble();
  if (arguments[7].toBool()) {  // groups of heads share keys and values
    require(q.dim() >= 3 && k.dim() >= 3 && v.dim() >= 3 && k.size(-3) > 0 &&
                v.size(-3) > 0,
            "grouped attention needs an axis of heads");
    k = k.repeat_interleave(q.size(-3) / k.size(-3), -3);
    v = v.repeat_interleave(q.size(-3) / v.size(-3), -3);
  }
  at::Tensor scores = at::matmul(q * scale, k.transpose(-2, -1));
  at::Tensor allowed;
  if (causal) {
    allowed = at::ones({q.size(-2), k.size(-2)},
                       at::TensorOptions().device(q.device()).dtype(at::kBool))
                  .tril();
  } else if (mask.defined() && mask.scalar_type() == at::kBool) {
    allowed = mask;
  } else if (mask.defined()) {
    scores = scores + mask;
  }
  if (allowed.defined()) {
    scores = scores.masked_fill(allowed.logical_not(), -kInfinity);
  }
  scores = allowed.defined() || mask.defined() ? safe_softmax(scores)
                                               : scores.softmax(-1);
  if (rate > 0) scores = at::dropout(scores, rate, true);
  torch::jit::push(stack, at::matmul(scores, v));
}

/// As torch.nn.functional.rms_norm.
void rms_norm(Stack& stack) {
  const auto arguments = torch::jit::pop(stack, 4);
  const at::Tensor x = arguments[0].toTensor();
  const std::vector<std::int64_t> shape = arguments[1].toIntVector();
  const at::Tensor weight = optional_tensor(arguments[2]);
  require(!shape.empty() && shape.size() <= static_cast<std::size_t>(x.dim()),
          "RMS norm over {} of {} axes", shape.size(), x.dim());
  std::vector<std::int64_t> axes;
  for (std::size_t i = 1; i <= shape.size(); ++i) {
    axes.push_back(-static_cast<std::int64_t>(i));
  }
  const double smallest = x.scalar_type() == at::kDouble
                              ? std::numeric_limits<double>::epsilon()
                              : std::numeric_limits<float>::epsilon();
  const double epsilon =
      arguments[3].isNone() ? smallest : arguments[3].toDouble();
  const at::Tensor y =
      x * (x.square().mean(axes, /*keepdim=*/true) + epsilon).rsqrt();
  torch::jit::push(stack, weight.defined() ? y * weight : y);
}

void size(Stack& stack) {
  const auto arguments = torch::jit::pop(stack, 2);
  torch::jit::push(stack, arguments[0].toTensor().size(arguments[1].toInt()));
}

void stride(Stack& stack) {
  const auto arguments = torch::jit::pop(stack, 2);
  torch::jit::push(stack, arguments[0].toTensor().stride(arguments[1].toInt()));
}

void numel(Stack& stack) {
  torch::jit::push(stack, torch::jit::pop(stack).toTensor().numel());
}

void assert_scalar(Stack& stack) {
  const auto arguments = torch::jit::pop(stack, 2);
  const at::Scalar value = arguments[0].toScalar();
  require(value.toDouble() != 0, "its assertion fails: {}",
          arguments[1].toStringRef());
}

/// An assertion that is not made.
template <std::size_t n>
void skip(Stack& stack) {
  torch::jit::drop(stack, n);
}

std::map<std::string, OwnOperator> all_operators() {
  std::map<std::string, OwnOperator> out;
  const auto add = [&](const std::string& target, const char* arguments,
                       void (*run)(Stack&)) {
    out.emplace(target,
                OwnOperator{torch::jit::parseSchema(
                                std::string("nestgrad::own") + arguments),
                            run});
  };
  const std::string aten = "torch.ops.aten.";
  add(aten + "scaled_dot_product_attention.default",
      "(Tensor query, Tensor key, Tensor value, Tensor? attn_mask=None, float "
      "dropout_p=0.0, bool is_causal=False, *, float? scale=None, bool "
      "enable_gqa=False) -> Tensor",
      attention);
  add(aten + "rms_norm.default",
      "(Tensor input, int[] normalized_shape, Tensor? weight=None, float? "
      "eps=None) -> Tensor",
      rms_norm);
  add(aten + "sym_size.int", "(Tensor self, int dim) -> int", size);
  add(aten + "sym_stride.int", "(Tensor self, int dim) -> int", stride);
  add(aten + "sym_numel.default", "(Tensor self) -> int", numel);
  add(aten + "_assert_scalar.default", "(Scalar self, str assert_msg) -> ()",
      assert_scalar);
  add(aten + "_assert_tensor_metadata.default",
      "(Tensor a, int[]? size=None, int[]? stride=None, ScalarType? "
      "dtype=None, *, Device? device=None, Layout? layout=None) -> ()",
      skip<6>);
  for (const char* name : {"sym_constrain_range.default",
                           "sym_constrain_range_for_size.default"}) {
    add(aten + name, "(Scalar size, *, int? min=None, int? max=None) -> ()",
        skip<3>);
  }
  for (const SymbolicOperator& one : symbolic_operators()) {
    const char* const arguments =
        one.arguments == 1   ? "(Scalar a) -> Scalar"
        : one.arguments == 2 ? "(Scalar a, Scalar b) -> Scalar"
                             : "(Scalar a, Scalar b, Scalar c) -> Scalar";
    add(one.target, arguments, one.run);
    out.at(one.target).by_place = true;
  }
  return out;
}

}  // namespace

const OwnOperator* find_own_operator(const std::string& target) {
  static const std::map<std::string, OwnOperator> all = all_operators();
  const auto found = all.find(target);
  return found == all.end() ? nullptr : &found->second;
}

}  // namespace nestgrad
