// Implementations that break their contract in one way each, and what the test
// kit says about them.

#include <ATen/ATen.h>

#include "core/nn/batch.h"
#include "core/particles.h"
#include "core/tensor/autodiff.h"
#include "experiments/data/data.h"
#include "hypergrad/unrolled/window_estimator.h"
#include "tests/kit/contract.h"
#include "tests/mutants/mentions.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

using testing::Faults;
using testing::mentions;

/// Backpropagation through a window, but for one fault.
class FaultyEstimator : public WindowEstimator {
 public:
  FaultyEstimator(const Config& config, const TrainingLoop& loop)
      : WindowEstimator(config, loop), fault_(config.text("fault")) {}

  static Schema schema() { return Schema("").text("fault", "none", ""); }

  void begin(const ParameterSet& hyper, const Key& key) override {
    WindowEstimator::begin(hyper, key);
    if (fault_ != "remembers") calls_ = 0;
  }

 private:
  Estimate differentiate(const ParameterSet& hyper) override {
    ++calls_;
    const ParameterSet h = hyper.leaves();
    const TrainState end = run_.unroll(h, Tape::kOn);
    const Tensor loss =
        problem().valid_loss(end.weights, h, run_.draw("valid"));
    Estimate out;
    out.gradient = gradient(loss, h, fault_ == "tape" ? Tape::kOn : Tape::kOff);
    out.objective = loss.item<double>();
    run_.finish_turn(end);
    if (fault_ == "stands") run_ = before_;
    if (fault_ == "vector") out.objective = h.flatten().item<double>();
    if (fault_ == "wrong") out.gradient = 1.001 * out.gradient;
    if (fault_ == "infinite") out.gradient = INFINITY * out.gradient;
    if (fault_ == "not saved" || fault_ == "remembers") {
      out.gradient = (1.0 + static_cast<double>(calls_)) * out.gradient;
    }
    if (fault_ == "global") {
      out.gradient = at::rand({}).item<double>() * out.gradient;
    }
    if (fault_ == "writes") {
      for (Tensor t : hyper.tensors()) t.add_(1e-3);
    }
    return out;
  }

  std::string fault_;
  std::int64_t calls_ = 0;
};

NESTGRAD_REGISTER(EstimatorRegistry, "faulty", FaultyEstimator)

/// Gradient descent with a velocity, but for one fault.
class FaultyRule : public Optimizer {
 public:
  explicit FaultyRule(const Config& config)
      : lr_(config.value("lr")), fault_(config.text("fault")) {}

  static Schema schema() {
    return Schema("").setting("lr", 0.1, "").text("fault", "none", "");
  }

  ParameterSet slots(const ParameterSet& weights) const override {
    ParameterSet out;
    out.append("velocity/", fault_ == "ones" ? weights.map([](const Tensor& t) {
      return at::ones_like(t);
    })
                                             : weights.zeros());
    return out;
  }

  bool vectorizes() const override { return fault_ == "particles"; }
  bool moves_each_number() const override { return fault_ == "coupled"; }

  bool same_at_every_step(const ParameterSet&, std::int64_t) const override {
    return fault_ == "counts";
  }

 private:
  TrainState update(const TrainState& state, const ParameterSet& gradient,
                    const ParameterSet& natural) const override {
    Tensor lr =
        fault_ == "detached" ? natural.at("lr").detach() : natural.at("lr");
    if (state.particles > 0) lr = lr.mean();
    if (fault_ == "coupled") lr = lr / norm(gradient);
    if (fault_ == "counts") lr = lr / static_cast<double>(1 + state.step);
    if (fault_ == "in place") {
      for (Tensor t : state.weights.tensors()) t.detach().add_(0.1);
    }
    const ParameterSet v = state.slots.with(
        add(gradient, 0.5, state.weights.with(state.slots.tensors()))
            .tensors());
    const ParameterSet w = state.weights - lr * state.weights.with(v.tensors());
    return {w, v, fault_ == "not counted" ? state.step : state.step + 1};
  }

  Json lr_;
  std::string fault_;
};

NESTGRAD_REGISTER(OptimizerRegistry, "faulty", FaultyRule)

/// y = tanh(w x), but for one fault.
class FaultyModel : public Model {
 public:
  explicit FaultyModel(std::string fault) : fault_(std::move(fault)) {}

  ParameterSet initial_weights(const Key& key) const override {
    const Tensor like = at::empty({4});
    return {{"w", fault_ == "global" ? at::randn({4}) : key.normal(like)}};
  }

  Tensor apply(const Weights& weights, const Tensor& input,
               const Pass& pass) const override {
    const Tensor w = weights.tensor(0);
    const Tensor x = with_batch_axes(input, weights.particles());
    if (fault_ == "writes") Tensor(input.detach()).add_(1e-3);
    Tensor y =
        ((fault_ == "particles" && weights.particles() > 0 ? w[0] : w) * x)
            .tanh();
    if (fault_ == "noisy") y = y + pass.normal(y);
    if (fault_ == "random") y = y + at::rand_like(y);
    if (fault_ == "detached") y = y + w.detach() * x;
    return y;
  }

 private:
  std::string fault_;
};

/// One linear map, of another shape than it says.
class FaultyLayer : public Layer {
 public:
  FaultyLayer(const Config&, const Shape&) {}
  static Schema schema() { return Schema(""); }
  Shape output_shape() const override { return {7}; }
  Tensor apply(const Weights&, const Tensor& input,
               const Pass&) const override {
    return 2 * input;
  }
};

NESTGRAD_REGISTER(LayerRegistry, "faulty", FaultyLayer)

class FaultySource : public DataSource {
 public:
  explicit FaultySource(const Config& config) : fault_(config.text("fault")) {}
  static Schema schema() { return Schema("").text("fault", "none", ""); }

  Examples load(const Key& key) const override {
    Dataset data;
    data.inputs =
        fault_ == "global" ? at::randn({6, 2}) : key.normal(at::empty({6, 2}));
    if (fault_ == "not finite") data.inputs[0][0] = NAN;
    data.targets = at::arange(fault_ == "short" ? 5 : 6, at::kLong) % 3;
    data.classes = fault_ == "classes" ? 2 : 3;
    data.target_names = {"a", "b", "c"};
    if (fault_ == "names") data.target_names.pop_back();
    if (fault_ == "one axis") {
      data.targets = data.targets.to(at::kDouble);
      data.classes = 0;
      data.target_names.clear();
    }
    Examples out{data, {}};
    if (fault_ == "parts") {
      out.valid = data;
      out.valid.inputs = at::ones({6, 3});
    }
    return out;
  }

 private:
  std::string fault_;
};

NESTGRAD_REGISTER(DataRegistry, "faulty", FaultySource)

/// Conjugate directions of any length: b / |b|.
class FaultySolver : public InverseHessian {
 public:
  explicit FaultySolver(std::string fault) : fault_(std::move(fault)) {}

 private:
  Solution approximate(const LinearMap& a, ParameterSet b, const ParameterSet*,
                       const Key&) const override {
    Solution out;
    const Tensor flat = b.flatten();
    Tensor matrix = at::empty({flat.numel(), flat.numel()}, flat.options());
    for (std::int64_t i = 0; i < flat.numel(); ++i) {
      Tensor unit = at::zeros_like(flat);
      unit[i] = 1;
      matrix.select(1, i).copy_(a(b.unflatten(unit)).flatten());
    }
    if (!matrix.isfinite().all().item<bool>()) {
      out.x = b;
      out.status = fault_ == "silent" ? Status::kOk : Status::kDiverged;
      return out;
    }
    out.x = b.unflatten(at::linalg_solve(matrix, flat));
    if (fault_ == "offset")
      out.x = add(out.x, 1e-3,
                  b.map([](const Tensor& t) { return at::ones_like(t); }));
    out.residual = fault_ == "residual" ? 0.5 : 0;
    return out;
  }

  std::string fault_;
};

}  // namespace

TEST_CASE("the kit finds what is wrong with an estimator", "[contract]") {
  const auto faults = [](const char* fault) {
    return testing::estimator_faults({{"type", "faulty"}, {"fault", fault}});
  };
  CHECK(faults("none") == Faults{});
  CHECK(mentions(faults("tape"), "on a tape"));
  CHECK(mentions(faults("wrong"), "not the derivative of its claim"));
  CHECK(mentions(faults("infinite"), "not finite"));
  CHECK(mentions(faults("not saved"), "after a restore"));
  CHECK(mentions(faults("remembers"), "remembers something"));
  CHECK(mentions(faults("global"), "more than the key"));
  CHECK(mentions(faults("writes"), "changes the hyperparameters"));
  CHECK(mentions(faults("stands"), "does not train on"));
  const Faults thrown = faults("vector");
  REQUIRE(thrown.size() == 1);
  CHECK_THAT(thrown[0], Catch::Matchers::StartsWith(
                            "the estimator 'faulty' throws: a Tensor with"));
  CHECK(thrown[0].find('\n') == std::string::npos);
}

TEST_CASE("the kit finds what is wrong with a training rule", "[contract]") {
  const auto faults = [](const char* fault) {
    return testing::optimizer_faults(
        {{"type", "faulty"}, {"lr", "$lr"}, {"fault", fault}},
        {{"lr", at::scalar_tensor(0.3, at::kDouble)}});
  };
  CHECK(faults("none") == Faults{});
  CHECK(mentions(faults("in place"), "changes its arguments"));
  CHECK(mentions(faults("detached"), "wrong derivative by natural/lr"));
  CHECK(mentions(faults("ones"), "does not start as zeros"));
  CHECK(mentions(faults("not counted"), "does not count"));
  CHECK(mentions(faults("particles"), "moves particles otherwise"));
  CHECK(mentions(faults("coupled"), "otherwise without the others"));
  CHECK(mentions(faults("counts"), "does something else in a later step"));
}

TEST_CASE("the kit finds what is wrong with a model or a layer", "[contract]") {
  const auto faults = [](const char* fault) {
    return testing::model_faults(FaultyModel(fault),
                                 Key(1).normal(at::empty({3, 4}, float64())));
  };
  CHECK(faults("none") == Faults{});
  CHECK(mentions(faults("global"), "more than the key"));
  CHECK(mentions(faults("writes"), "changes its input"));
  CHECK(mentions(faults("noisy"), "the output is noisy in evaluation"));
  CHECK(mentions(faults("random"), "more than the arguments"));
  CHECK(mentions(faults("detached"), "the derivative of the output"));
  CHECK(mentions(faults("particles"), "particles other outputs"));
  CHECK(mentions(
      testing::layer_faults({{"type", "faulty"}}, at::ones({2, 3}, float64())),
      "another shape"));
}

TEST_CASE("the kit finds what is wrong with a data source", "[contract]") {
  const auto faults = [](const char* fault) {
    return testing::dataset_faults({{"type", "faulty"}, {"fault", fault}});
  };
  CHECK(faults("none") == Faults{});
  CHECK(mentions(faults("global"), "other examples"));
  CHECK(mentions(faults("not finite"), "not finite"));
  CHECK(mentions(faults("short"), "one target for each"));
  CHECK(mentions(faults("classes"), "numbers of classes"));
  CHECK(mentions(faults("one axis"), "neither numbers of classes nor numbers"));
  CHECK(mentions(faults("names"), "one name for each"));
  CHECK(mentions(faults("parts"), "not like those of the training part"));
}

TEST_CASE("the kit finds what is wrong with an inverse Hessian", "[contract]") {
  const auto faults = [](const char* fault) {
    return testing::inverse_hessian_faults(FaultySolver(fault), true);
  };
  CHECK(faults("none") == Faults{});
  CHECK(mentions(faults("offset"), "does not solve"));
  CHECK(mentions(faults("offset"), "is not its formula"));
  CHECK(mentions(faults("offset"), "in proportion"));
  CHECK(mentions(faults("residual"), "reports the residual"));
  CHECK(mentions(faults("silent"), "not finite"));
}

TEST_CASE("the kit reports what an implementation throws", "[contract]") {
  CHECK(mentions(testing::estimator_faults({{"type", "no such thing"}}),
                 "throws"));
}

}  // namespace nestgrad
