#include "core/tensor/autodiff.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/forward_grad.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <exception>
#include <mutex>
#include <unordered_set>

#include "core/platform/error.h"
#include "core/platform/exceptions.h"

namespace nestgrad {
namespace {

using torch::autograd::variable_list;

/// sum_i v_i' (d outputs_i / d inputs), one tensor per input; undefined where
/// nothing depends on an input.
variable_list grad_or_nothing(const variable_list& outputs,
                              const variable_list& inputs,
                              const variable_list& v, Graph graph, Tape tape) {
  // LibTorch refuses outputs that are on no tape; they contribute nothing.
  variable_list taped, taped_v;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].requires_grad()) continue;
    taped.push_back(outputs[i]);
    taped_v.push_back(v[i]);
  }
  require(
      !c10::impl::tls_is_dispatch_key_excluded(c10::DispatchKey::AutogradCPU),
      "what is said to be a formula (gradient_by_formula) differentiates by "
      "autograd");
  variable_list out(inputs.size());
  if (!taped.empty() && !inputs.empty()) {
    try {
      out = torch::autograd::grad(taped, inputs, taped_v,
                                  graph == Graph::kKeep || tape == Tape::kOn,
                                  tape == Tape::kOn, /*allow_unused=*/true);
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      const std::string what = one_line(error);
      // Some operators say by a plain exception that they lack a derivative.
      const bool differentiation =
          dynamic_cast<const c10::Error*>(&error) != nullptr ||
          what.find("is not implemented") != std::string::npos;
      if (is_out_of_memory(error) || !differentiation) throw;
      throw Unsupported(
          fmt::format("LibTorch cannot differentiate what this problem "
                      "computes: {}",
                      what));
    }
  }
  return out;
}

/// The same with zeros in the place of nothing.
variable_list grad(const variable_list& outputs, const variable_list& inputs,
                   const variable_list& v, Graph graph, Tape tape) {
  variable_list out = grad_or_nothing(outputs, inputs, v, graph, tape);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!out[i].defined()) out[i] = at::zeros_like(inputs[i]);
  }
  return out;
}

void require_scalar(const Tensor& loss) {
  require(loss.numel() == 1,
          "a loss must be one number (a scalar tensor), this one has the shape "
          "[{}]",
          fmt::join(loss.sizes(), ", "));
}

}  // namespace

ParameterSet gradient(const Tensor& loss, const ParameterSet& wrt, Tape tape,
                      Graph graph) {
  require_scalar(loss);
  return wrt.with(
      grad({loss}, wrt.tensors(), {at::ones_like(loss)}, graph, tape));
}

ParameterSet vjp(const ParameterSet& out, const ParameterSet& wrt,
                 const ParameterSet& v, Tape tape, Graph graph) {
  out.require_alike(v);
  return wrt.with(grad(out.tensors(), wrt.tensors(), v.tensors(), graph, tape));
}

std::vector<Tensor> vjp(const std::vector<Tensor>& out,
                        const std::vector<Tensor>& wrt,
                        const std::vector<Tensor>& v, Tape tape, Graph graph) {
  return grad(out, wrt, v, graph, tape);
}

ParameterSet without_numbers(const ParameterSet& out) {
  using namespace torch::autograd::impl;
  return out.map([](const Tensor& t) {
    Tensor place = at::zeros({}, t.options()).expand(t.sizes()).variable_data();
    if (t.requires_grad()) set_gradient_edge(place, gradient_edge(t));
    return place;
  });
}

bool depends_on(const Tensor& out, const std::vector<Tensor>& of,
                const std::vector<Tensor>& until) {
  using torch::autograd::Node;
  const auto node_of = [](const Tensor& t) -> Node* {
    return t.requires_grad()
               ? torch::autograd::impl::gradient_edge(t).function.get()
               : nullptr;
  };
  std::unordered_set<const Node*> seen{nullptr}, wanted;
  for (const Tensor& t : until) seen.insert(node_of(t));
  for (const Tensor& t : of) wanted.insert(node_of(t));
  std::vector<Node*> open{node_of(out)};
  while (!open.empty()) {
    Node* const node = open.back();
    open.pop_back();
    if (!seen.insert(node).second) continue;
    if (wanted.count(node) > 0) return true;
    for (const auto& edge : node->next_edges()) {
      open.push_back(edge.function.get());
    }
  }
  return false;
}

Partials partials(const Tensor& loss, const ParameterSet& weights,
                  const ParameterSet& hyper) {
  require_scalar(loss);
  variable_list inputs = weights.tensors();
  inputs.insert(inputs.end(), hyper.tensors().begin(), hyper.tensors().end());
  variable_list both = grad_or_nothing({loss}, inputs, {at::ones_like(loss)},
                                       Graph::kConsume, Tape::kOff);
  for (std::size_t i = 0; i < both.size(); ++i) {
    if (both[i].defined()) continue;
    // Often a loss depends on no hyperparameter, and there may be millions:
    // zeros that take no memory.
    both[i] = at::zeros({}, inputs[i].options()).expand(inputs[i].sizes());
  }
  const auto cut = both.begin() + static_cast<std::ptrdiff_t>(weights.size());
  return {Number(loss), weights.with({both.begin(), cut}),
          hyper.with({cut, both.end()})};
}

Pushforward::Pushforward(const ParameterSet& out, const ParameterSet& wrt)
    : v_(out.map(
          [](const Tensor& t) { return at::zeros_like(t).requires_grad_(); })),
      pulled_(vjp(out, wrt, v_, Tape::kOn)) {}

ParameterSet Pushforward::operator()(const ParameterSet& tangent) const {
  return vjp(pulled_, v_, tangent);
}

namespace {

constexpr std::int64_t kLevel = 0;  // the only one that LibTorch has

std::mutex& dual_numbers_mutex() {
  static std::mutex mutex;
  return mutex;
}

}  // namespace

DualNumbers::DualNumbers() {
  dual_numbers_mutex().lock();
  torch::autograd::ForwardADLevel::get_next_idx();
}

DualNumbers::~DualNumbers() {
  torch::autograd::ForwardADLevel::release_idx(kLevel);
  dual_numbers_mutex().unlock();
}

Tensor with_tangent(const Tensor& x, const Tensor& t) {
  return at::_make_dual(x, t, kLevel);
}

bool is_dual(const Tensor& x) {
  return std::get<1>(at::_unpack_dual(x, kLevel)).defined();
}

Tensor primal(const Tensor& dual) {
  return std::get<0>(at::_unpack_dual(dual, kLevel));
}

Tensor tangent(const Tensor& dual) {
  const Tensor t = std::get<1>(at::_unpack_dual(dual, kLevel));
  return t.defined() ? t : at::zeros_like(primal(dual));
}

Tensor to_first_order(const Tensor& dual) {
  // Without an operator if there is no tangent: every loss asks.
  if (!dual._fw_grad(kLevel).defined()) return dual;
  const auto [x, t] = at::_unpack_dual(dual, kLevel);
  return x + t;
}

ParameterSet to_first_order(const ParameterSet& duals) {
  const std::vector<Tensor>& tensors = duals.tensors();
  if (std::none_of(tensors.begin(), tensors.end(), is_dual)) return duals;
  return duals.map([](const Tensor& t) { return to_first_order(t); });
}

}  // namespace nestgrad
