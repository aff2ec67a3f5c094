#include "core/nn/models/torchscript.h"

#include <filesystem>

#include "core/hyper_space.h"
#include "core/storage/safetensors.h"
#include "tests/core/nn/torchscript/scripts.h"
#include "tests/kit/bench.h"
#include "tests/kit/contract.h"

namespace nestgrad {
namespace {

/// A problem whose training starts at given weights.
class StartingAt : public ProblemDecorator {
 public:
  StartingAt(std::shared_ptr<const BilevelProblem> problem, ParameterSet start)
      : ProblemDecorator(std::move(problem)), start_(std::move(start)) {}

  ParameterSet initial_weights(const ParameterSet& hyper,
                               const Key& key) const override {
    const ParameterSet own = problem().initial_weights(hyper, key);
    REQUIRE(own.size() == start_.size());
    return own.with(start_.to(own.tensors().front().options()).tensors());
  }

 private:
  ParameterSet start_;
};

/// Hypergradients by decay and learning rate, after two windows.
Tensor hypergradient(const Json& problem, const Json& estimator,
                     const ParameterSet& start) {
  const std::shared_ptr<const BilevelProblem> natural =
      ProblemRegistry::instance().make(problem, {float64(), Key(2)});
  const Bench bench =
      with_rule(std::make_shared<StartingAt>(natural, start),
                at::scalar_tensor(0.01, float64()),
                {{"type", "sgd"}, {"lr", "$lr"}, {"momentum", 0.5}});
  const auto made = EstimatorRegistry::instance().make(estimator, *bench.loop);
  made->begin(bench.hyper, Key(7));
  made->estimate(bench.hyper);
  return made->estimate(bench.hyper).gradient.flatten();
}

void check_same_hypergradient(Json problem, const Json& own,
                              const std::string& name, const Shape& input,
                              const Shape& outputs) {
  const ParameterSet start = load(name, input, outputs)->initial_weights(Key());
  for (const Json& estimator :
       {Json{{"type", "unrolled"}, {"window", 4}},
        Json{{"type", "unrolled"}, {"window", 4}, {"horizon", 4}},
        Json{{"type", "ift"},
             {"window", 4},
             {"solver", {{"type", "conjugate_gradient"}, {"iterations", 5}}}},
        Json{{"type", "forward"}, {"window", 3}}}) {
    CAPTURE(estimator.dump());
    problem["model"] = own;
    const Tensor expected = hypergradient(problem, estimator, start);
    problem["model"] = {{"type", "torchscript"}, {"file", script(name)}};
    const Tensor got = hypergradient(problem, estimator, start);
    CHECK(expected.norm().item<double>() > 1e-4);
    CHECK(relative_error(got, expected) < 1e-10);
  }
}

}  // namespace

TEST_CASE("a traced CNN gives the hypergradient of the same layers here",
          "[torchscript]") {
  check_same_hypergradient(
      {{"type", "classification"},
       {"data", {{"type", "fashion_mnist"}, {"train", 30}, {"valid", 20}}},
       {"batch", 10}},
      {{"type", "sequential"},
       {"layers",
        Json::array(
            {{{"type", "conv2d"}, {"out", 2}, {"kernel", 5}, {"stride", 3}},
             {{"type", "tanh"}},
             {{"type", "flatten"}},
             {{"type", "linear"}, {"out", 10}}})}},
      "cnn.pt", {1, 28, 28}, {10});
}

TEST_CASE("a scripted LSTM gives the hypergradient of the same layers here",
          "[torchscript]") {
  TemporaryFolder folder;
  // Every letter and the space: 27 tokens.
  std::string text;
  for (int i = 0; i < 40; ++i) {
    text += "the quick brown fox jumps over a lazy dog ";
  }
  folder.write("text.txt", text);
  check_same_hypergradient({{"type", "classification"},
                            {"data",
                             {{"type", "text"},
                              {"file", folder.path("text.txt")},
                              {"length", 6},
                              {"train", 40},
                              {"valid", 20},
                              {"test", 0}}},
                            {"batch", 10}},
                           {{"type", "lstm"}, {"embedding", 3}, {"hidden", 4}},
                           "lstm.pt", {6}, {6, kVocabulary});
}

TEST_CASE("scripts keep the contract of models", "[torchscript]") {
  const Tensor images = Key(4).normal(at::empty({3, 1, 28, 28}, float64()));
  CHECK(testing::model_faults(*load("cnn.pt", {1, 28, 28}, {10}), images) ==
        testing::Faults{});
  CHECK(testing::model_faults(
            *load("cnn.pt", {1, 28, 28}, {10}, {{"start", "shuffled"}}),
            images) == testing::Faults{});
  const Tensor rows = Key(5).normal(at::empty({7, 6}, float64()));
  CHECK(testing::model_faults(*load("noisy.pt", {6}, {2}), rows) ==
        testing::Faults{});
}

TEST_CASE("weights of a script are named as in Python, tied ones once",
          "[torchscript]") {
  const ParameterSet weights =
      load("noisy.pt", {6}, {2})->initial_weights(Key());
  std::vector<std::string> names;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    names.push_back(weights.name(i));
  }
  CHECK(names == std::vector<std::string>{"a.weight", "norm.weight",
                                          "norm.bias", "out.weight",
                                          "out.bias"});
  // Fixed parameters are constants.
  const ParameterSet partly =
      load("partly.pt", {1, 28, 28}, {10})->initial_weights(Key());
  REQUIRE(partly.size() == 2);
  CHECK(partly.name(0) == "out.weight");
}

TEST_CASE("a shuffled start has the numbers of the file in another order",
          "[torchscript]") {
  const auto model = load("cnn.pt", {1, 28, 28}, {10}, {{"start", "shuffled"}});
  const Tensor own = load("cnn.pt", {1, 28, 28}, {10})
                         ->initial_weights(Key(1))
                         .at("conv.weight")
                         .flatten();
  const Tensor one = model->initial_weights(Key(1)).at("conv.weight").flatten();
  const Tensor two = model->initial_weights(Key(2)).at("conv.weight").flatten();
  CHECK_FALSE(one.equal(two));
  CHECK_FALSE(one.equal(own));
  CHECK(std::get<0>(one.sort()).equal(std::get<0>(own.sort())));
}

TEST_CASE("scripts that cannot be trained are refused with the reason",
          "[torchscript]") {
  const Shape image{1, 28, 28};
  CHECK_THROWS_WITH(load("frozen.pt", image, {10}),
                    ContainsSubstring("it was frozen"));
  CHECK_THROWS_WITH(load("fixed.pt", image, {10}),
                    ContainsSubstring("none of its parameters requires a "
                                      "gradient"));
  CHECK_THROWS_WITH(load("none.pt", image, {10}),
                    ContainsSubstring("No such file"));
  TemporaryFolder folder;
  folder.write("broken.pt", "no script");
  CHECK_THROWS_WITH(
      ModelRegistry::instance().make(
          Json{{"type", "torchscript"}, {"file", folder.path("broken.pt")}},
          image, {10}),
      ContainsSubstring("is no TorchScript file"));
  const auto model = load("cnn.pt", image, {9});
  const ParameterSet weights = model->initial_weights(Key());
  CHECK_THROWS_WITH(
      model->forward(weights, at::zeros({2, 1, 28, 28}), Pass()),
      ContainsSubstring("gives [10] for each example, but [9] is wanted"));
  CHECK_THROWS_WITH(model->forward(weights, at::zeros({2, 5}), Pass()),
                    ContainsSubstring("the script fails"));
}

TEST_CASE("the weights that a run finds go back into a script of Python's",
          "[torchscript]") {
  TemporaryFolder folder;
  const Json config = {
      {"problem",
       {{"type", "classification"},
        {"data",
         {{"type", "fashion_mnist"},
          {"train", 50},
          {"valid", 30},
          {"test", 20}}},
        {"model", {{"type", "torchscript"}, {"file", script("cnn.pt")}}}}},
      {"hyperparameters", {{"weight_decay", Json::object()}}},
      {"inner", {{"type", "sgd"}, {"lr", 0.5}}},
      {"outer", {{"steps", 3}}},
      {"record", {{"retrain", 4}}}};
  folder.write("tune.json", config.dump());
  const Ended run = program(folder.path(""), "run tune.json --out run");
  CAPTURE(run.output);
  REQUIRE(run.code == 0);
  const Ended ended =
      program(folder.path(""), "export run --torchscript tuned.pt");
  CAPTURE(ended.output);
  REQUIRE(ended.code == 0);
  const Ended compared = shell(
      folder.path(""),
      fmt::format("/usr/bin/python3 {}/tests/core/nn/torchscript/compare.py {} "
                  "tuned.pt",
                  NESTGRAD_SOURCE_DIR, script("cnn.pt")));
  CAPTURE(compared.output);
  CHECK(compared.code == 0);
  // What this program reads of it is what it found.
  const auto again = ModelRegistry::instance().make(
      Json{{"type", "torchscript"}, {"file", folder.path("tuned.pt")}},
      {1, 28, 28}, {10});
  CHECK(at::equal(
      again->initial_weights(Key()).flatten(),
      load_safetensors(folder.path("run/weights.safetensors")).flatten()));
}

TEST_CASE("a trace that does not follow train() and eval() is warned of",
          "[torchscript]") {
  const TemporaryFolder folder;
  const auto said = [&](const std::string& name) {
    folder.write("a.json", script_config(name).dump());
    const Ended ended = program(folder.path(""), "plan a.json");
    CAPTURE(ended.output);
    CHECK(ended.code == 0);
    return ended.output;
  };
  const std::string train = said("traced_train.pt");
  CHECK_THAT(train, ContainsSubstring("dropout stays on in evaluation"));
  CHECK(train.find("running averages") == std::string::npos);
  const std::string eval = said("traced_eval.pt");
  CHECK_THAT(eval, ContainsSubstring("dropout is off in training"));
  CHECK_THAT(eval, ContainsSubstring("running averages of the file"));
  CHECK(said("drops.pt").find("train()") == std::string::npos);
}

TEST_CASE("a run in double precision begins at the numbers of its script",
          "[torchscript]") {
  const TemporaryFolder folder;
  Json config = script_config("double.pt");
  config["precision"] = "float64";
  config["inner"] = {{"type", "sgd"}, {"lr", 0}};
  config["record"] = {{"retrain", 0}};
  folder.write("a.json", config.dump());
  const Ended ended =
      shell(folder.path(""),
            fmt::format("'{0}' run a.json --quiet --out a && '{0}' export a "
                        "--torchscript out.pt && /usr/bin/python3 -c \""
                        "import torch; a, b = torch.jit.load('out.pt'), "
                        "torch.jit.load('{1}'); "
                        "assert all(torch.equal(p, q) for p, q in "
                        "zip(a.parameters(), b.parameters()))\"",
                        NESTGRAD_PROGRAM, script("double.pt")));
  CAPTURE(ended.output);
  CHECK(ended.code == 0);
}

}  // namespace nestgrad
