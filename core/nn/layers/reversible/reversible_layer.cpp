#include "core/nn/layers/reversible/reversible_layer.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>

#include "core/nn/layers/initial.h"
#include "core/nn/layers/reversible/reversible_state.h"
#include "core/nn/layers/shapes.h"
#include "core/nn/weight_forms.h"
#include "core/platform/error.h"
#include "core/tensor/autodiff.h"

namespace nestgrad {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// `value`, that counts as x for derivatives.
Tensor in_place_of(const Tensor& x, const Tensor& value) {
  if (!at::GradMode::is_enabled() && !is_dual(x)) return value;
  return x + (value - x).detach();
}

/// A cell that reads a batch of sequences.
class Reading {
 public:
  /// x: [batch..., time, features]. The output is that of the last step, or of
  /// all: the first `slice` of its numbers.
  Reading(std::shared_ptr<const ReversibleCell> cell, bool last_only,
          std::int64_t slice, const Tensor& x)
      : cell_(std::move(cell)), last_only_(last_only), slice_(slice) {
    std::vector<std::int64_t> sizes = x.sizes().vec();
    sizes.erase(sizes.end() - 2);
    sizes.back() = cell_->half();
    for (std::size_t j = 0; j < cell_->parts(); ++j) {
      exact_.emplace_back(sizes, x.options());
      first_weight_.push_back(first_weight_.back() + cell_->weights(j).size());
    }
  }

  /// From the beginning to the end. Returns the output, on the tape of x and of
  /// the weights.
  Tensor forwards(const Weights& weights, const Tensor& x) {
    std::vector<Tensor> state = values(), outputs;
    for (const Tensor& now : x.unbind(-2)) {
      for (std::size_t j = 0; j < exact_.size(); ++j) {
        const auto [keep, add] =
            cell_->change(j, of_part(weights, j), now, state);
        exact_[j].update(keep, add);
        state[j] = in_place_of(keep * state[j] + add, exact_[j].values());
      }
      if (!last_only_) outputs.push_back(output_of(state));
    }
    return last_only_ ? output_of(state) : at::stack(outputs, -2);
  }

  /// From the end back to the beginning. Returns the derivatives of the sum of
  /// v * output by x and by each weight.
  ParameterSet backwards(const std::vector<Tensor>& weights, const Tensor& x,
                         const Tensor& v) {
    std::vector<Tensor> state = values(), adjoint, leaves, total;
    for (const Tensor& part : state) adjoint.push_back(at::zeros_like(part));
    for (const Tensor& w : weights) {
      leaves.push_back(leaf(w));
      total.push_back(at::zeros_like(w));
    }
    Tensor of_x = at::zeros_like(x);
    const std::int64_t steps = x.size(-2);
    for (std::int64_t t = steps; t-- > 0;) {
      if (!last_only_) add_output(v.select(-2, t), adjoint);
      if (last_only_ && t == steps - 1) add_output(v, adjoint);
      for (std::size_t j = exact_.size(); j-- > 0;) {
        undo(j, leaves, x.select(-2, t), state, adjoint, total,
             of_x.select(-2, t));
      }
    }
    ParameterSet out{{"x", of_x}};
    for (std::size_t i = 0; i < total.size(); ++i) {
      out.insert(std::to_string(i), total[i]);
    }
    return out;
  }

  bool finite() const {
    return std::all_of(exact_.begin(), exact_.end(),
                       [](const ReversibleState& s) { return s.finite(); });
  }

  bool at_beginning() const {
    return std::all_of(
        exact_.begin(), exact_.end(),
        [](const ReversibleState& s) { return s.at_beginning(); });
  }

 private:
  std::vector<Tensor> values() const {
    std::vector<Tensor> out;
    for (const ReversibleState& part : exact_) out.push_back(part.values());
    return out;
  }

  static Tensor leaf(const Tensor& t) { return t.detach().requires_grad_(); }

  WeightSlice of_part(const Weights& weights, std::size_t j) const {
    return weights.slice(first_weight_[j],
                         first_weight_[j + 1] - first_weight_[j]);
  }

  Tensor output_of(const std::vector<Tensor>& state) const {
    const auto parts = cell_->outputs();
    return at::cat({state[parts[0]], state[parts[1]]}, -1)
        .narrow(-1, 0, slice_);
  }

  /// The transpose of output_of(), added to `adjoint`.
  void add_output(const Tensor& v, std::vector<Tensor>& adjoint) const {
    const std::int64_t half = cell_->half();
    const auto parts = cell_->outputs();
    const std::int64_t first = std::min(half, slice_);
    adjoint[parts[0]].narrow(-1, 0, first).add_(v.narrow(-1, 0, first));
    adjoint[parts[1]]
        .narrow(-1, 0, slice_ - first)
        .add_(v.narrow(-1, first, slice_ - first));
  }

  /// Undoes the change of part j. `weights` are leaves. `state` and `adjoint`,
  /// the derivatives by it, become those before the change; those by the
  /// weights and by the input are added to `total` and `of_x`.
  void undo(std::size_t j, const std::vector<Tensor>& weights, const Tensor& x,
            std::vector<Tensor>& state, std::vector<Tensor>& adjoint,
            std::vector<Tensor>& total, Tensor of_x) {
    // The input, the other parts, and the weights.
    std::vector<Tensor> from = {leaf(x)}, others(state.size());
    for (std::size_t k = 0; k < state.size(); ++k) {
      if (k == j) continue;
      others[k] = leaf(state[k]);
      from.push_back(others[k]);
    }
    const std::vector<Tensor> own(
        weights.begin() + static_cast<std::ptrdiff_t>(first_weight_[j]),
        weights.begin() + static_cast<std::ptrdiff_t>(first_weight_[j + 1]));
    from.insert(from.end(), own.begin(), own.end());

    ReversibleCell::Change change;
    {
      const at::AutoGradMode on_tape(true);
      change = cell_->change(j, SharedWeights(own), from[0], others);
    }
    exact_[j].undo(change.keep, change.add);
    state[j] = exact_[j].values();
    const std::vector<Tensor> keep_and_add = {change.keep, change.add};
    const std::vector<Tensor> v = {adjoint[j] * state[j], adjoint[j]};
    const std::vector<Tensor> by =
        vjp(keep_and_add, from, v, Tape::kOff, Graph::kConsume);
    adjoint[j] = adjoint[j] * change.keep.detach();
    auto next = by.begin();
    of_x.add_(*next++);
    for (std::size_t k = 0; k < state.size(); ++k) {
      if (k != j) adjoint[k].add_(*next++);
    }
    for (std::size_t i = first_weight_[j]; i < first_weight_[j + 1]; ++i) {
      total[i].add_(*next++);
    }
  }

  std::shared_ptr<const ReversibleCell> cell_;
  bool last_only_;
  std::int64_t slice_;
  std::vector<ReversibleState> exact_;           // of each part
  std::vector<std::size_t> first_weight_ = {0};  // of each part, and the end
};

/// The weights as one vector, and back: a Function has no lists of tensors.

Tensor joined(const Weights& weights) {
  std::vector<Tensor> all;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    all.push_back(weights.tensor(i).flatten());
  }
  return at::cat(all);
}

std::vector<Tensor> separate(const ReversibleCell& cell, const Tensor& all) {
  std::vector<Tensor> out;
  std::int64_t first = 0;
  for (std::size_t j = 0; j < cell.parts(); ++j) {
    for (const auto& [name, sizes] : cell.weights(j)) {
      const std::int64_t n = c10::multiply_integers(sizes);
      out.push_back(all.narrow(0, first, n).view(sizes));
      first += n;
    }
  }
  return out;
}

/// Reading forwards, whose derivative is reading backwards.
class ReadReversibly : public torch::autograd::Function<ReadReversibly> {
 public:
  struct Call : torch::CustomClassHolder {
    std::shared_ptr<const ReversibleCell> cell;
    bool last_only;
    std::int64_t slice;
    std::unique_ptr<const Reading> end;

    Reading begin(const Tensor& x) const { return {cell, last_only, slice, x}; }
  };

  static Tensor forward(AutogradContext* context, const Tensor& x,
                        const Tensor& all,
                        const c10::intrusive_ptr<Call>& call) {
    Reading reading = call->begin(x);
    const Tensor out =
        reading.forwards(SharedWeights(separate(*call->cell, all)), x);
    call->end = std::make_unique<const Reading>(std::move(reading));
    context->save_for_backward({x, all});
    context->saved_data["call"] = c10::IValue::make_capsule(call);
    return out;
  }

  static variable_list backward(AutogradContext* context,
                                const variable_list& v) {
    const auto saved = context->get_saved_variables();
    const Tensor &x = saved[0], &all = saved[1];
    const auto call = c10::static_intrusive_pointer_cast<Call>(
        context->saved_data["call"].toCapsule());
    if (at::GradMode::is_enabled()) return on_tape(*call, x, all, v[0]);
    if (!call->end->finite()) {
      return {at::full_like(x, NAN), at::full_like(all, NAN), Tensor()};
    }
    Reading reading = *call->end;
    const ParameterSet by =
        reading.backwards(separate(*call->cell, all), x, v[0]);
    require(reading.at_beginning(),
            "a recurrent network could not be run backwards: its steps, "
            "computed again, are not the same bit for bit");
    std::vector<Tensor> of_weights;
    for (std::size_t i = 1; i < by.size(); ++i) {
      of_weights.push_back(by.tensors()[i].flatten());
    }
    return {by.tensors()[0], at::cat(of_weights), Tensor()};
  }

 private:
  /// For second derivatives: the whole reading again, now on the tape.
  static variable_list on_tape(const Call& call, const Tensor& x,
                               const Tensor& all, const Tensor& v) {
    const Tensor out =
        call.begin(x).forwards(SharedWeights(separate(*call.cell, all)), x);
    ParameterSet from;
    if (x.requires_grad()) from.insert("x", x);
    if (all.requires_grad()) from.insert("weights", all);
    const ParameterSet by =
        vjp({{"out", out}}, from, {{"out", v}}, Tape::kOn, Graph::kKeep);
    return {x.requires_grad() ? by.at("x") : Tensor(),
            all.requires_grad() ? by.at("weights") : Tensor(), Tensor()};
  }
};

}  // namespace

Tensor ReversibleCell::factor(const Tensor& logit) const {
  const Tensor factor = max_forget_ * logit.sigmoid() + (1 - max_forget_);
  return in_place_of(factor, ReversibleState::nearest_factor(factor.detach()));
}

Schema ReversibleLayer::reversible_schema(std::string meaning) {
  return Schema(std::move(meaning))
      .integer("hidden", kRequired,
               "Size of the state, an even number: its halves change in turn.",
               at_least(2))
      .number("max_forget", 0.875,
              "The largest part of a number that a step can forget. It bounds "
              "the memory: -log2(1 - max_forget) bits per number and step; "
              "10 if it is 1.",
              from_to(0, 1))
      .choice("output", "last",
              "The state after the last step, or the states after all steps.",
              {"last", "all"})
      .integer("slice", 0,
               "How many numbers of the state are the output, the first ones; "
               "0: all. What attention reads of all steps is kept, so a slice "
               "keeps less.",
               at_least(0));
}

ReversibleLayer::Settings::Settings(const Config& config, const Shape& input)
    : hidden(config.integer("hidden")),
      slice(config.integer("slice")),
      max_forget(config.number("max_forget")),
      last_only(config.text("output") == "last") {
  if (input.size() != 2) {
    refuse_input(config, "sequences [time, features]", input);
  }
  time = input[0];
  features = input[1];
  if (hidden % 2 != 0) {
    config.fail("hidden", fmt::format("must be even, is {}", hidden));
  }
  if (slice > hidden) {
    config.fail("slice", fmt::format("must be at most \"hidden\", {}, is {}",
                                     hidden, slice));
  }
  if (slice == 0) slice = hidden;
}

ReversibleLayer::ReversibleLayer(const Settings& settings,
                                 std::shared_ptr<const ReversibleCell> cell)
    : time_(settings.time),
      slice_(settings.slice),
      last_only_(settings.last_only),
      cell_(std::move(cell)) {}

Shape ReversibleLayer::output_shape() const {
  return last_only_ ? Shape{slice_} : Shape{time_, slice_};
}

ParameterSet ReversibleLayer::initial_weights(const Key& key) const {
  const double bound = 1 / std::sqrt(static_cast<double>(cell_->half()));
  ParameterSet weights;
  for (std::size_t j = 0; j < cell_->parts(); ++j) {
    for (const auto& [name, sizes] : cell_->weights(j)) {
      insert_uniform(weights, key, name, sizes, bound);
    }
  }
  return weights;
}

Tensor ReversibleLayer::apply(const Weights& weights, const Tensor& x,
                              const Pass&) const {
  bool dual = is_dual(x);
  for (std::size_t i = 0; weights.shared() && i < weights.size(); ++i) {
    dual = dual || is_dual(weights.tensor(i));
  }
  if (!weights.shared() || dual || !at::GradMode::is_enabled()) {
    return Reading(cell_, last_only_, slice_, x).forwards(weights, x);
  }
  const auto call = c10::make_intrusive<ReadReversibly::Call>();
  call->cell = cell_;
  call->last_only = last_only_;
  call->slice = slice_;
  return ReadReversibly::apply(x, joined(weights), call);
}

}  // namespace nestgrad
