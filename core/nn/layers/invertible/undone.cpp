#include "core/nn/layers/invertible/undone.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/nn/weight_forms.h"
#include "core/platform/error.h"
#include "core/tensor/autodiff.h"

namespace nestgrad {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct UndoneCall : torch::CustomClassHolder {
  std::shared_ptr<const Chain> layers;
  ParameterSet
      like;  // the weights' names and shapes, without an axis of theirs
  Pass pass;
  double tolerance = 0;
};

/// |a - b| relative to the largest number of b.
double difference_of(const Tensor& a, const Tensor& b) {
  const Tensor size = b.abs().max().clamp_min(1e-30);
  return ((a - b).abs().max() / size).item<double>();
}

class ApplyAndForget : public torch::autograd::Function<ApplyAndForget> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x,
                        const Tensor& all,
                        const c10::intrusive_ptr<UndoneCall>& call) {
    std::vector<Tensor> penalties;
    Pass pass = call->pass;
    pass.penalties = &penalties;
    const Tensor y =
        call->layers->apply(SharedWeights(call->like.unflatten(all)), x, pass);
    require(penalties.empty(),
            "layers that add a penalty to the loss cannot be inside of an "
            "\"invertible\" layer with \"memory_saving\"");
    context->save_for_backward({x, all, y});
    context->saved_data["call"] = c10::IValue::make_capsule(call);
    return y;
  }

  static variable_list backward(AutogradContext* context,
                                const variable_list& v) {
    const auto saved = context->get_saved_variables();
    const auto call = c10::static_intrusive_pointer_cast<UndoneCall>(
        context->saved_data["call"].toCapsule());
    if (at::GradMode::is_enabled()) {
      return on_tape(*call, saved[0], saved[1], v[0]);
    }
    return undone(*call, saved[0], saved[1], saved[2], v[0]);
  }

 private:
  static variable_list undone(const UndoneCall& call, const Tensor& x,
                              const Tensor& all, const Tensor& y,
                              const Tensor& v) {
    const Chain& layers = *call.layers;
    const std::vector<Tensor> weights = call.like.unflatten(all).tensors();
    std::vector<Tensor> of_weights(weights.size());
    Tensor state = y, adjoint = v;
    for (std::size_t i = layers.layers(); i-- > 0;) {
      const auto first =
          weights.begin() + static_cast<std::ptrdiff_t>(layers.first_weight(i));
      std::vector<Tensor> own;
      for (auto w = first;
           w != first + static_cast<std::ptrdiff_t>(layers.weights_of(i));
           ++w) {
        own.push_back(w->detach().requires_grad_());
      }
      const Pass pass = call.pass.of_layer(i);
      const auto& layer = dynamic_cast<const InvertibleLayer&>(layers.layer(i));
      state = layer.inverse(SharedWeights(own), state, pass)
                  .detach()
                  .requires_grad_();
      Tensor out;
      {
        const at::AutoGradMode on(true);
        out = layer.apply(SharedWeights(own), state, pass);
      }
      std::vector<Tensor> from = {state};
      from.insert(from.end(), own.begin(), own.end());
      const std::vector<Tensor> by =
          vjp(std::vector<Tensor>{out}, from, {adjoint}, Tape::kOff,
              Graph::kConsume);
      adjoint = by[0];
      for (std::size_t k = 0; k < own.size(); ++k) {
        of_weights[layers.first_weight(i) + k] = by[k + 1].flatten();
      }
    }
    const double error = difference_of(state.detach(), x);
    require(error <= call.tolerance,
            "the inverse of the layers is off by {:.2g} of their input, more "
            "than \"tolerance\", {}: derivatives that rely on it would be "
            "wrong. Set \"memory_saving\" to false, or keep the inverse from "
            "stretching (least_scale, contraction, the penalties)",
            error, call.tolerance);
    return {adjoint, at::cat(of_weights), Tensor()};
  }

  /// For second derivatives: all layers again, now on the tape.
  static variable_list on_tape(const UndoneCall& call, const Tensor& x,
                               const Tensor& all, const Tensor& v) {
    std::vector<Tensor> from;
    for (const Tensor& t : {x, all}) {
      if (t.requires_grad()) from.push_back(t);
    }
    const Tensor out = call.layers->apply(
        SharedWeights(call.like.unflatten(all)), x, call.pass);
    const std::vector<Tensor> by =
        vjp(std::vector<Tensor>{out}, from, {v}, Tape::kOn);
    return {x.requires_grad() ? by.front() : Tensor(),
            all.requires_grad() ? by.back() : Tensor(), Tensor()};
  }
};

}  // namespace

Tensor apply_and_forget(std::shared_ptr<const Chain> layers,
                        const Weights& weights, const Tensor& x,
                        const Pass& pass, double tolerance) {
  const auto call = c10::make_intrusive<UndoneCall>();
  std::vector<Tensor> all;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const Tensor w = weights.tensor(i);
    call->like.insert(std::to_string(i), w.detach());
    all.push_back(w.flatten());
  }
  call->like = call->like.zeros();
  call->layers = std::move(layers);
  call->pass = pass;
  call->pass.penalties = nullptr;
  call->pass.hyper = nullptr;
  call->tolerance = tolerance;
  return ApplyAndForget::apply(x, at::cat(all), call);
}

}  // namespace nestgrad
