#include <ATen/ATen.h>

#include <cmath>
#include <set>

#include "core/nn/weight_forms.h"
#include "core/tensor/autodiff.h"
#include "experiments/data/data.h"
#include "experiments/setup/experiment.h"
#include "tests/kit/contract.h"
#include "tests/kit/numbers.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

const Key kProblemKey = Key(1).fold("problem");  // of seed 1
constexpr std::int64_t kSteps = 8, kSequences = 5, kTokens = 4, kHidden = 3;

/// A small network for the copy task, in float64.
Json copying(const Json& estimator = "unrolled", const char* cell = "gru") {
  return {{"precision", "float64"},
          {"problem",
           {{"type", "recurrent"},
            {"data",
             {{"type", "copy_task"},
              {"alphabet", 2},
              {"symbols", 2},
              {"delay", 5},
              {"examples", 40},
              {"train", 20},
              {"valid", 10},
              {"test", 10}}},
            {"cell", {{"type", cell}, {"hidden", kHidden}}},
            {"sequences", kSequences}}},
          {"hyperparameters", {{"network", Json::object()}}},
          {"inner", {{"type", "sgd"}, {"lr", 1}, {"minibatches", "per_start"}}},
          {"estimator", estimator}};
}

Experiment recurrent_experiment(const Json& json) {
  return Experiment(Config(complete(experiment_schema(), json)));
}

Json estimator(const char* type, std::int64_t window) {
  return {{"type", type},
          {"window", window},
          {"horizon", kSteps},
          {"starts", 0},
          {"objective", "sum"}};
}

/// The sum over the windows of one run of the estimates at constant weights.
ParameterSet of_run(const Experiment& experiment, const ParameterSet& hyper,
                    const Json& section, const Key& noise = Key(1)) {
  const auto method = EstimatorRegistry::instance().make(
      Config(complete(EstimatorRegistry::instance(), section)),
      experiment.loop());
  method->begin(hyper, Key(3));
  method->reseed(noise);
  ParameterSet sum = hyper.zeros();
  const auto window = section["window"].get<std::int64_t>();
  for (std::int64_t t = 0; t < kSteps; t += window) {
    sum = sum + method->estimate(hyper).gradient;
  }
  return sum;
}

/// Weights that know when to be blank, and have yet to learn to remember. After
/// more steps their gradient is small, and what is left of it is chance.
ParameterSet trained_a_little(const Experiment& experiment) {
  ParameterSet hyper = experiment.initial_hyper();
  const Json exact = estimator("unrolled", kSteps);
  for (int i = 0; i < 150; ++i) {
    hyper = add(hyper, -0.2, of_run(experiment, hyper, exact)).detach();
  }
  return hyper;
}

}  // namespace

TEST_CASE("copy_task shows symbols and asks for them after the delay",
          "[recurrent]") {
  const Json section = {{"type", "copy_task"},
                        {"alphabet", 3},
                        {"symbols", 2},
                        {"delay", 4},
                        {"examples", 60}};
  const Splits data = load_splits(
      Config(complete(DataRegistry::instance(), section)), Key(1), float64());
  const Tensor x = data.train.inputs, y = data.train.targets;
  REQUIRE(x.size(1) == 2 * 2 + 4 - 1);
  CHECK(data.train.classes == 4);
  CHECK((x.slice(1, 0, 2) < 3).all().item<bool>());
  CHECK((x.slice(1, 2, 5) == 3).all().item<bool>());  // blanks
  CHECK((x.select(1, 5) == 4).all().item<bool>());    // the signal
  CHECK((x.select(1, 6) == 3).all().item<bool>());
  CHECK((y.slice(1, 0, 5) == 3).all().item<bool>());
  CHECK(at::equal(y.slice(1, 5), x.slice(1, 0, 2)));
  // All pairs of symbols are there, and sequences differ.
  CHECK(std::get<0>(at::_unique(x.select(1, 0) * 3 + x.select(1, 1))).numel() ==
        9);
}

TEST_CASE(
    "the losses of a run and their gradient are those of the layer and a "
    "linear layer for whole sequences",
    "[recurrent]") {
  for (const char* cell : {"rnn", "gru", "lstm"}) {
    CAPTURE(cell);
    const Experiment made =
        recurrent_experiment(copying(estimator("unrolled", kSteps), cell));
    const auto method = made.make_estimator(Config(complete(
        EstimatorRegistry::instance(), estimator("unrolled", kSteps))));
    const ParameterSet hyper = made.initial_hyper();
    method->begin(hyper, Key(3));
    const Estimate found = method->estimate(hyper);

    // The same sequences: those that the run has read.
    const Json section = copying()["problem"]["data"];
    const Splits data =
        load_splits(Config(complete(DataRegistry::instance(), section)),
                    kProblemKey.fold("data"), float64());
    const Key run = Key(3).fold("episode").fold(0);
    const Tensor rows =
        BatchSchedule(data.train.size(), kSequences, kProblemKey.fold("train"))
            .rows(0, run.bits());
    const Tensor x =
        at::one_hot(data.train.inputs.index_select(0, rows), kTokens)
            .to(at::kDouble);
    const Tensor y = data.train.targets.index_select(0, rows);

    const auto layer = LayerRegistry::instance().make(
        Json{{"type", cell}, {"hidden", kHidden}, {"output", "all"}},
        {kSteps, kTokens});
    const ParameterSet like = layer->initial_weights(Key(1)).to(float64());
    const ParameterSet h = hyper.leaves();
    const Tensor& all = h.at("network");
    const std::int64_t of_cell = like.numel();
    REQUIRE(all.numel() == of_cell + 3 * kHidden + 3);
    const Tensor states = layer->apply(
        SharedWeights(like.unflatten(all.narrow(0, 0, of_cell))), x, Pass());
    const Tensor logits = at::linear(
        states, all.narrow(0, of_cell, 3 * kHidden).view({3, kHidden}),
        all.narrow(0, of_cell + 3 * kHidden, 3));
    const Tensor loss =
        at::cross_entropy_loss(logits.flatten(0, 1), y.flatten()) * kSteps;
    CHECK(double(found.objective) == Approx(loss.item<double>()));
    CHECK(relative_error(found.gradient, gradient(loss, h)) < 1e-10);
  }
}

TEST_CASE(
    "forward mode in real time, pes and es_single follow the gradient "
    "through time with windows of one step, truncation does not",
    "[recurrent]") {
  // The copy task, or a text whose words end with their first letter.
  const bool text = GENERATE(false, true);
  CAPTURE(text);
  const TemporaryFolder folder;
  Json json = copying();
  if (text) {
    std::string letters;
    for (unsigned i = 0; i < 60; ++i) {
      const std::string letter = i * 7 % 16 % 3 == 0 ? "a" : "b";
      letters += letter + "......" + letter;
    }
    folder.write("text", letters);
    json["problem"]["data"] = {
        {"type", "text"},   {"file", folder.path("text")},
        {"length", kSteps}, {"train", 20},
        {"valid", 10},      {"test", 10}};
  }
  const Experiment made = recurrent_experiment(json);
  const ParameterSet hyper = trained_a_little(made);
  const ParameterSet exact = of_run(made, hyper, estimator("unrolled", kSteps));
  const auto cosine = [&](const ParameterSet& g) {
    return (dot(g, exact) / (norm(g) * norm(exact))).item<double>();
  };
  Json real_time = estimator("forward", 1);
  real_time["real_time"] = true;
  real_time["limit"] = 1000;
  CHECK(relative_error(of_run(made, hyper, real_time), exact) < 1e-10);
  CHECK(cosine(of_run(made, hyper, estimator("unrolled", 1))) < 0.9);
  for (const char* type : {"pes", "es_single"}) {
    CAPTURE(type);
    Json section = estimator(type, 1);
    section["sigma"] = 0.01;
    section["particles"] = 2000;
    ParameterSet mean = exact.zeros();
    constexpr int kKeys = 60;
    for (std::uint64_t key = 0; key < kKeys; ++key) {
      mean = add(mean, 1.0 / kKeys, of_run(made, hyper, section, Key(key)));
    }
    CHECK(cosine(mean) > 0.95);
  }
}

TEST_CASE("what a recurrent network cannot read is told", "[recurrent]") {
  const auto with = [](const char* key, const Json& value) {
    Json json = copying()["problem"];
    json[key] = value;
    return ProblemRegistry::instance().make(json, {float64(), Key(1)});
  };
  CHECK_THROWS_WITH(with("data", "gaussian_clusters"),
                    ContainsSubstring("/data: must be sequences of tokens"));
  CHECK_THROWS_WITH(with("cell", Json{{"type", "tanh"}}),
                    ContainsSubstring("/cell: must be a layer with a state"));
}

TEST_CASE("after the last token a run goes on with the next sequences",
          "[recurrent]") {
  const auto problem = ProblemRegistry::instance().make(copying()["problem"],
                                                        {float64(), Key(1)});
  const ParameterSet hyper = problem->initial_hyper();
  const ParameterSet start = problem->initial_weights(hyper, Key(1));
  const auto loss_of_first_step = [&](std::int64_t step) {
    const ParameterSet g =
        problem->train_gradient(start, hyper, Draw{step, Key()});
    return problem->valid_loss(start - g, hyper, Draw()).item<double>();
  };
  // The first token tells the two symbols apart, and four minibatches of five
  // sequences have different numbers of each.
  std::set<double> losses;
  for (std::int64_t pass = 0; pass < 4; ++pass) {
    losses.insert(loss_of_first_step(pass * kSteps));
  }
  CHECK(losses.size() > 1);
  CHECK(loss_of_first_step(0) == loss_of_first_step(0));
  // Then blanks are read and wanted, the same in all sequences.
  CHECK(loss_of_first_step(3) == loss_of_first_step(kSteps + 3));
  CHECK(loss_of_first_step(3) != loss_of_first_step(0));
}

}  // namespace nestgrad
