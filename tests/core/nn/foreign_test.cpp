// What a foreign network may change: its own things, for one call.

#include "core/nn/foreign/foreign.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/DefaultDtype.h>
#include <torch/nn/modules/linear.h>

#include "core/nn/module_model.h"
#include "core/tensor/autodiff.h"
#include "experiments/record/json_lines.h"
#include "tests/core/nn/torchscript/scripts.h"
#include "tests/kit/contract.h"
#include "tests/kit/findings.h"

namespace nestgrad {
namespace {

const Shape kInput{4}, kOutput{2};

Tensor rows(std::int64_t n = 5) {
  return Key(5).normal(at::empty({n, 4}, float64()));
}

Pass training() {
  Pass pass;
  pass.training = true;
  pass.key = Key(3);
  return pass;
}

/// A module that does whatever it is told to.
class Told : public torch::nn::Module {
 public:
  explicit Told(std::function<Tensor(Told&, const Tensor&)> what)
      : linear(4, 2), what_(std::move(what)) {
    register_module("linear", linear);
  }
  Tensor forward(const Tensor& x) { return what_(*this, x); }

  torch::nn::Linear linear;

 private:
  std::function<Tensor(Told&, const Tensor&)> what_;
};

std::unique_ptr<Model> told(std::function<Tensor(Told&, const Tensor&)> what) {
  const auto net = std::make_shared<Told>(std::move(what));
  return wrap_module(net, [net](const Tensor& x) { return net->forward(x); });
}

}  // namespace

TEST_CASE("scripts that reach for the program's state are pure functions",
          "[foreign]") {
  const auto name =
      GENERATE(as<std::string>{}, "shifts_input.pt", "shifts_view.pt",
               "counts.pt", "seeds.pt", "no_tape.pt", "forks.pt");
  CAPTURE(name);
  CHECK(testing::model_faults(*load(name, kInput, kOutput), rows()) ==
        testing::Faults{});
  CHECK(at::GradMode::is_enabled());
}

TEST_CASE(
    "a script that writes into its input computes what one does that "
    "makes a new tensor",
    "[foreign]") {
  const auto pure = load("shifted.pt", kInput, kOutput);
  const auto writes = load("shifts_input.pt", kInput, kOutput);
  const ParameterSet w = pure->initial_weights(Key()).to(float64()).leaves();
  const Tensor all = rows(9), before = all.clone();
  // Evaluation goes by views of the data.
  for (const Tensor& x : {all, all.narrow(0, 2, 4)}) {
    const Tensor expected = pure->forward(w, x, Pass());
    const Tensor got = writes->forward(w, x, Pass());
    CHECK(got.equal(expected));
    CHECK(relative_error(gradient(got.square().sum(), w),
                         gradient(expected.square().sum(), w)) < 1e-14);
  }
  CHECK(all.equal(before));
}

TEST_CASE("a script that writes into its weights writes into a copy",
          "[foreign]") {
  const auto model = load("clamps.pt", kInput, kOutput);
  ParameterSet w = model->initial_weights(Key()).to(float64());
  const ParameterSet before = w.clone();
  const Tensor first = model->forward(w, rows(), Pass());
  CHECK(equal(w, before));
  CHECK(first.equal(model->forward(w, rows(), Pass())));
  ParameterSet clamped = w.clone();
  const std::size_t place = 0;
  REQUIRE(clamped.name(place) == "a.weight");
  std::vector<Tensor> tensors = clamped.tensors();
  tensors[place] = tensors[place].clamp(-0.05, 0.05);
  const auto plain = load("small.pt", kInput, kOutput);
  CHECK(at::allclose(first, plain->forward(w.with(tensors), rows(), Pass()),
                     1e-14, 1e-14));
  // On a tape, the weights get their gradients all the same.
  const ParameterSet leaves = w.leaves();
  const Tensor loss = model->forward(leaves, rows(), Pass()).square().sum();
  CHECK(gradient(loss, leaves).at("a.weight").norm().item<double>() > 0);
}

TEST_CASE("a script whose outputs do not depend on its weights is refused",
          "[foreign]") {
  for (const char* name : {"detaches.pt", "no_grad.pt"}) {
    CAPTURE(name);
    CHECK_THROWS_WITH(load(name, kInput, kOutput),
                      ContainsSubstring("do not depend on the weights"));
  }
}

TEST_CASE("scripts that cannot be pure functions are refused with the reason",
          "[foreign]") {
  CHECK_THROWS_WITH(load("constant.pt", kInput, kOutput),
                    ContainsSubstring("keeps from one call to the next"));
  CHECK_THROWS_WITH(load("sparse.pt", kInput, kOutput),
                    ContainsSubstring("sparse=False"));
  const auto one_row = load("first_row.pt", kInput, kOutput);
  CHECK_THROWS_WITH(
      one_row->forward(one_row->initial_weights(Key()).to(float64()), rows(3),
                       Pass()),
      ContainsSubstring("gives the shape [1, 2] for 3 examples"));
}

TEST_CASE("what a script prints does not come between the lines of a run",
          "[foreign]") {
  const TemporaryFolder folder;
  Json config = script_config("prints.pt");
  config["problem"]["data"]["train"] = 20;
  config["outer"]["steps"] = 2;
  folder.write("a.json", config.dump());
  const std::string run =
      fmt::format("'{}' run a.json --progress json", NESTGRAD_PROGRAM);
  const Ended printed =
      shell(folder.path(""), run + " --out a 2>&1 >/dev/null");
  CHECK_THAT(printed.output, ContainsSubstring("rows: 20"));
  const Ended told = shell(folder.path(""), run + " --out b 2>/dev/null");
  CHECK(told.code == 0);
  CHECK(parse_json_lines(told.output).size() > 3);
}

TEST_CASE("the first weights of a script in double precision are its own",
          "[foreign]") {
  const ParameterSet w =
      load("double.pt", kInput, kOutput)->initial_weights(Key());
  bool finer = false;
  for (const Tensor& t : w.tensors()) {
    CHECK(t.scalar_type() == at::kDouble);
    finer = finer || !t.equal(t.to(at::kFloat).to(at::kDouble));
  }
  CHECK(finer);
  const auto net = std::make_shared<Told>(
      [](Told& self, const Tensor& x) { return self.linear(x); });
  net->to(at::kDouble);
  const auto model =
      wrap_module(net, [net](const Tensor& x) { return net->forward(x); });
  CHECK(model->initial_weights(Key())
            .at("linear.weight")
            .equal(net->linear->weight.detach()));
}

TEST_CASE("a module that changes the state of the process is put right",
          "[foreign]") {
  const int threads = at::get_num_threads();
  const auto generator = [] {
    at::Generator own =
        at::globalContext().defaultGenerator(c10::Device(at::kCPU));
    return own.get_state();
  };
  const auto model = told([](Told& self, const Tensor& x) {
    const Tensor out = self.linear(x + 0.1 * at::rand_like(x));
    at::manual_seed(1);
    c10::set_default_dtype(caffe2::TypeMeta::Make<double>());
    at::GradMode::set_enabled(false);
    at::set_num_threads(3);
    return out;
  });
  const ParameterSet w = model->initial_weights(Key()).to(float64()).leaves();
  const Tensor before = generator();
  const Tensor first = model->forward(w, rows(), training());
  CHECK(first.equal(model->forward(w, rows(), training())));
  Pass other = training();
  other.key = Key(4);
  CHECK_FALSE(first.equal(model->forward(w, rows(), other)));
  CHECK(first.requires_grad());
  CHECK(at::GradMode::is_enabled());
  CHECK(c10::get_default_dtype_as_scalartype() == at::kFloat);
  CHECK(at::get_num_threads() == threads);
  CHECK(generator().equal(before));
}

TEST_CASE("a module that writes into its arguments writes into copies",
          "[foreign]") {
  const auto model = told([](Told& self, const Tensor& x) {
    const at::NoGradGuard no_tape;
    Tensor part = x.narrow(1, 1, 2);
    part.data().mul_(2);
    self.linear->weight.mul_(0.5);
    const at::AutoGradMode tape(true);
    return self.linear(x);
  });
  const ParameterSet w = model->initial_weights(Key()).to(float64()).leaves();
  const ParameterSet before = w.clone();
  const Tensor x = rows(), x_before = x.clone();
  const Tensor got = model->forward(w, x, Pass());
  CHECK(x.equal(x_before));
  CHECK(equal(w, before));
  Tensor scaled = x_before.clone();
  scaled.narrow(1, 1, 2).mul_(2);
  CHECK(at::allclose(got,
                     at::linear(scaled, 0.5 * before.at("linear.weight"),
                                before.at("linear.bias")),
                     1e-14, 1e-14));
  CHECK(got.equal(model->forward(w, x, Pass())));
}

TEST_CASE("a module that returns a detached result is refused on a tape",
          "[foreign]") {
  const auto model =
      told([](Told& self, const Tensor& x) { return self.linear(x).detach(); });
  const ParameterSet w = model->initial_weights(Key()).to(float64());
  CHECK_NOTHROW(model->forward(w, rows(), Pass()));
  CHECK_THROWS_WITH(model->forward(w.leaves(), rows(), Pass()),
                    ContainsSubstring("do not depend on the weights"));
}

}  // namespace nestgrad
