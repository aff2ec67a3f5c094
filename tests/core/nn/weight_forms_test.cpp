#include <memory>
#include <optional>

#include "core/nn/batch.h"
#include "core/nn/row_wise_weights.h"
#include "core/particles.h"
#include "core/tensor/autodiff.h"
#include "tests/support/layer_cases.h"

// Every layer, and every operation of Weights, in every form of weights.

namespace nestgrad {
namespace {

constexpr std::int64_t kParticles = 2, kHypers = 2;

/// A function of weights and a batch that treats every example by itself.
struct Function {
  std::string name;
  ParameterSet weights;  // in the form of one set for all examples
  Tensor x;              // [examples, ...]
  bool mixes_examples;   // except for this one
  std::function<Tensor(const Weights&, const Tensor& x)> apply;
  bool rounds = false;  // see Layer

  bool of_tokens() const { return !at::isFloatingType(x.scalar_type()); }
};

/// Every registered layer in evaluation.
std::vector<Function> all_layers() {
  std::vector<Function> functions;
  for (const LayerCase& c : layer_cases()) {
    const std::shared_ptr<const Layer> layer = c.make();
    functions.push_back({c.config.dump(), weights_for(c), input_for(c),
                         c.type() == "batch_norm",
                         [layer](const Weights& weights, const Tensor& x) {
                           Pass pass;
                           if (weights.particles() > 0) {
                             pass.hyper_axis = HyperAxis::kParticles;
                           }
                           return layer->apply(weights, x, pass);
                         },
                         layer->rounds()});
  }
  return functions;
}

Function operation(
    const char* name, std::vector<Shape> weights, Shape input,
    std::function<Tensor(const Weights&, const Tensor& x)> apply) {
  ParameterSet w;
  for (const Shape& sizes : weights) {
    const std::string position = std::to_string(w.size());
    w.insert(position,
             Key(2).fold(position).normal(at::empty(sizes, float64())));
  }
  input.insert(input.begin(), kBatch);
  return {name, std::move(w), Key(3).normal(at::empty(input, float64())), false,
          std::move(apply)};
}

/// What registered layers leave out.
std::vector<Function> operations() {
  return {
      operation("a convolution of signals", {{3, 2, 2}, {3}}, {2, 5},
                [](const Weights& w, const Tensor& x) {
                  return w.convolution(x, {/*stride=*/2, /*padding=*/1});
                }),
      operation("a convolution of volumes", {{2, 2, 2, 2, 2}}, {2, 3, 3, 3},
                [](const Weights& w, const Tensor& x) {
                  return w.convolution(x, {});
                }),
      operation("a product of two weight tensors", {{3, 2}, {2, 4}}, {4},
                [](const Weights& w, const Tensor& x) {
                  const Tensor product = at::matmul(w.tensor(0), w.tensor(1));
                  return at::matmul(product, x.unsqueeze(-1)).squeeze(-1);
                }),
      operation(
          "a constant for each step", {{3, 4}}, {3, 4},
          [](const Weights& w, const Tensor& x) { return x + w.tensor(0); }),
      operation("tied weights", {{4, 4}, {4}}, {4},
                [](const Weights& w, const Tensor& x) {
                  const WeightSlice tied = w.slice(0, 2);
                  return w.linear(tied.linear(x).tanh(), 0, kNone);
                })};
}

/// A form of weights, as the parts that it is made of.
struct Form {
  bool particles, responds, flips;

  std::string name() const {
    std::string text = particles ? "particles" : "shared";
    if (responds) text += ", responding";
    return flips ? text + ", flipped" : text;
  }
};

std::vector<Form> forms() {
  std::vector<Form> all;
  for (const bool particles : {false, true}) {
    for (const bool responds : {false, true}) {
      for (const bool flips : {false, true}) {
        all.push_back({particles, responds, flips});
      }
    }
  }
  return all;
}

/// All numbers of a form: "weights/", "slopes/", "gates/", "u" and "x".
ParameterSet numbers_for(const Function& f, const Form& form) {
  ParameterSet numbers;
  const ParameterSet all =
      form.particles ? repeated(f.weights, kParticles) : f.weights;
  numbers.append("weights/", all + 0.2 * Key(4).normal(all));
  if (form.responds) {
    numbers.append("slopes/", Key(21).normal(f.weights));
    numbers.append("gates/", f.weights.map([](const Tensor& w) {
      return Key(22).fold(w.numel()).normal(
          at::empty({w.size(0), kHypers}, w.options()));
    }));
    numbers.insert(
        "u", 0.5 * Key(23).normal(at::empty({kBatch, kHypers}, float64())));
  }
  if (!f.of_tokens()) numbers.insert("x", f.x);
  return numbers;
}

/// Weights in a form, with all that they refer to.
class Built {
 public:
  Built(const Form& form, const ParameterSet& numbers, bool first_order) {
    const ParameterSet weights = numbers.subset("weights/");
    if (form.particles) {
      base_ = std::make_unique<ParticleWeights>(weights, kParticles);
    } else {
      base_ = std::make_unique<SharedWeights>(weights);
    }
    if (form.responds) {
      response_ = {numbers.subset("slopes/").tensors(),
                   numbers.subset("gates/").tensors(), numbers.at("u"),
                   first_order};
      responding_ = std::make_unique<RespondingWeights>(*base_, response_);
    }
    if (form.flips) {
      flipped_ = std::make_unique<FlippedWeights>(
          responding_ ? *responding_ : *base_, kBatch,
          at::scalar_tensor(0.3, float64()), Key(77));
    }
  }

  const Weights& weights() const {
    if (flipped_) return *flipped_;
    return responding_ ? *responding_ : *base_;
  }

 private:
  RowResponse response_;
  std::unique_ptr<Weights> base_, responding_, flipped_;
};

Tensor output(const Function& f, const Form& form, const ParameterSet& numbers,
              bool first_order = false) {
  const Tensor x = f.of_tokens() ? f.x : numbers.at("x");
  return f.apply(Built(form, numbers, first_order).weights(),
                 with_batch_axes(x, form.particles ? kParticles : 0));
}

/// W of particle p and example n.
std::vector<Tensor> weights_of(const Weights& weights, std::int64_t p,
                               std::int64_t n) {
  std::vector<Tensor> out;
  for (std::size_t w = 0; w < weights.size(); ++w) {
    Tensor t = weights.tensor(w);
    const std::int64_t axes = t.dim() - weights.like(w).dim();
    if (weights.particles() > 0) t = t[p];
    if (axes == weights.batch_axes()) t = t[t.size(0) == 1 ? 0 : n];
    out.push_back(t);
  }
  return out;
}

/// The output for example n of x alone, with these weights for everything.
Tensor alone(const Function& f, const std::vector<Tensor>& weights,
             const Tensor& x, std::int64_t n) {
  const SharedWeights shared(weights);
  return f.mixes_examples ? f.apply(shared, x)[n]
                          : f.apply(shared, x.narrow(0, n, 1))[0];
}

/// |a - b| / (0.001 + |b|).
double distance(const Tensor& a, const Tensor& b) {
  if (a.sizes() != b.sizes()) return INFINITY;
  return ((a - b).norm() / (1e-3 + b.norm())).item<double>();
}

/// Calls check(function, form) for all functions and forms.
template <class Check>
void for_all(const std::vector<Function>& functions, Check&& check) {
  for (const Function& f : functions) {
    for (const Form& form : forms()) {
      // Without weights a form is only the axes of its batch.
      if (f.weights.empty() && (form.responds || form.flips)) continue;
      INFO(f.name << ", weights " << form.name());
      check(f, form);
    }
  }
}

template <class Check>
void for_all(Check&& check) {
  for_all(all_layers(), check);
  for_all(operations(), check);
}

}  // namespace

TEST_CASE(
    "with any form of weights the output for an example is that of its "
    "own weights",
    "[weights]") {
  for_all([](const Function& f, const Form& form) {
    const Built built(form, numbers_for(f, form), /*first_order=*/false);
    const Weights& weights = built.weights();
    const std::int64_t particles = form.particles ? kParticles : 0;
    // Particles with one batch for all, and each with a batch of its own.
    std::vector<Tensor> batches{with_batch_axes(f.x, particles)};
    if (form.particles) batches.push_back(at::stack({f.x, f.x.flip({0})}));
    for (const Tensor& x : batches) {
      const Tensor y = f.apply(weights, x);
      for (std::int64_t p = 0; p < std::max<std::int64_t>(particles, 1); ++p) {
        const Tensor x_p = form.particles ? x[p] : x;
        const Tensor y_p = form.particles ? y[p] : y;
        for (std::int64_t n = 0; n < kBatch; ++n) {
          CHECK(distance(y_p[n], alone(f, weights_of(weights, p, n), x_p, n)) <
                1e-12);
        }
      }
    }
  });
}

TEST_CASE(
    "with any form of weights the first and second derivatives are "
    "right",
    "[weights]") {
  for_all([](const Function& f, const Form& form) {
    const ParameterSet numbers = numbers_for(f, form);
    if (numbers.empty() || f.rounds) return;
    for (const bool first_order : {false, true}) {
      if (first_order && (!form.responds || form.particles)) continue;
      CAPTURE(first_order);
      const auto loss = [&](const ParameterSet& at) {
        std::optional<DualNumbers> dual;
        if (first_order) dual.emplace();
        const Tensor y = to_first_order(output(f, form, at, first_order));
        return (y * Key(41).normal(y.detach()) + y * y / 2).sum();
      };
      const ParameterSet direction = Key(42).normal(numbers);
      const ParameterSet other = Key(43).normal(numbers);
      const auto at = [&](double s) {
        return (numbers + s * direction).leaves();
      };
      constexpr double h = 1e-5;
      const ParameterSet here = at(0);
      const ParameterSet slope = gradient(loss(here), here, Tape::kOn);
      CHECK(distance(dot(slope, direction).detach(),
                     (loss(at(h)) - loss(at(-h))).detach() / (2 * h)) < 1e-6);

      const auto slope_at = [&](double s) {
        const ParameterSet there = at(s);
        return dot(gradient(loss(there), there), other);
      };
      const Tensor curvature =
          dot(gradient(dot(slope, other), here), direction);
      CHECK(distance(curvature, (slope_at(h) - slope_at(-h)) / (2 * h)) < 1e-5);
    }
  });
}

TEST_CASE(
    "with any form of weights derivatives of what is rounded are those of each "
    "example alone",
    "[weights]") {
  for_all([](const Function& f, const Form& form) {
    if (!f.rounds) return;
    const ParameterSet here = numbers_for(f, form).leaves();
    const auto derivatives = [&](const Tensor& y) {
      const Tensor loss = (y * Key(41).normal(y.detach()) + y * y / 2).sum();
      const ParameterSet slope = gradient(loss, here, Tape::kOn);
      const Tensor along = dot(slope, Key(43).normal(here));
      return std::pair(slope.detach().flatten(),
                       gradient(along, here).flatten());
    };
    const auto found = derivatives(output(f, form, here));
    const Built built(form, here, /*first_order=*/false);
    const Tensor x = with_batch_axes(f.of_tokens() ? f.x : here.at("x"),
                                     form.particles ? kParticles : 0);
    std::vector<Tensor> each;
    for (std::int64_t p = 0; p < (form.particles ? kParticles : 1); ++p) {
      for (std::int64_t n = 0; n < kBatch; ++n) {
        each.push_back(alone(f, weights_of(built.weights(), p, n),
                             form.particles ? x[p] : x, n));
      }
    }
    Tensor y = at::stack(each);
    if (form.particles) y = y.unflatten(0, {kParticles, kBatch});
    const auto expected = derivatives(y);
    CHECK(distance(found.first, expected.first) < 1e-10);
    CHECK(distance(found.second, expected.second) < 1e-10);
  });
}

TEST_CASE("to first order in a response the output is its derivative",
          "[weights]") {
  for_all([](const Function& f, const Form& form) {
    if (!form.responds || form.particles) return;
    const ParameterSet numbers = numbers_for(f, form);
    const Tensor dx =
        f.of_tokens() ? Tensor() : Key(24).normal(numbers.at("x"));
    /// With the displacement times s, and x moved by s dx.
    const auto moved = [&](double s) {
      ParameterSet out;
      for (std::size_t i = 0; i < numbers.size(); ++i) {
        const Tensor& t = numbers.tensors()[i];
        const std::string& name = numbers.name(i);
        out.insert(name, name == "u" ? s * t : name == "x" ? t + s * dx : t);
      }
      return output(f, form, out);
    };
    Tensor value, slope;
    {
      const DualNumbers dual;
      const Built built(form, numbers, /*first_order=*/true);
      const Tensor y =
          f.apply(built.weights(), f.of_tokens() ? f.x : with_tangent(f.x, dx));
      value = primal(y);
      slope = tangent(y);
    }
    CHECK(distance(value, moved(0)) < 1e-12);
    if (f.rounds) {
      ParameterSet start, direction;
      for (std::size_t i = 0; i < numbers.size(); ++i) {
        const Tensor& t = numbers.tensors()[i];
        const std::string& name = numbers.name(i);
        start.insert(name, name == "u" ? at::zeros_like(t) : t);
        direction.insert(name, name == "u"   ? t
                               : name == "x" ? dx
                                             : at::zeros_like(t));
      }
      start = start.leaves();
      const Pushforward along({{"y", output(f, form, start)}}, start);
      CHECK(distance(slope, along(direction).at("y")) < 1e-10);
      return;
    }
    constexpr double h = 1e-6;
    CHECK(distance(slope, (moved(h) - moved(-h)) / (2 * h)) < 1e-7);
  });
}

TEST_CASE("a slice beyond the last weight tensor is refused", "[weights]") {
  const SharedWeights weights({at::ones(1), at::ones(1)});
  CHECK(weights.slice(1, 1).size() == 1);
  CHECK_THROWS_WITH(weights.slice(1, 2),
                    "weight tensors 1 to 3 are asked for, but there are only "
                    "2");
}

}  // namespace nestgrad
