// Hyperparameters that an estimator would never move.

#include "experiments/setup/movable.h"

#include "core/hyper_space.h"
#include "core/platform/files.h"
#include "core/platform/warnings.h"
#include "experiments/problems/quadratic.h"
#include "experiments/setup/experiment.h"
#include "tests/support/program.h"
#include "tests/support/ridge_config.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

/// Ridge regression trained by this rule, all of whose settings that it names
/// are tuned.
Json tuned_rule(const Json& rule, const Json& estimator) {
  Json config = ridge_config();
  config["inner"] = rule;
  for (const std::string& name : references(rule)) {
    config["hyperparameters"][name] = {{"initial", 0.05}};
  }
  config["estimator"] = estimator;
  config["estimator"]["window"] = 5;
  return config;
}

/// The complaint about a configuration; "" if there is none.
std::string complaint(const Json& config) {
  try {
    Experiment{experiment_config(config)};
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

/// The length of the first hypergradient of one hyperparameter.
double gradient_of(const Json& config, const std::string& name) {
  const Config whole = experiment_config(config);
  Experiment experiment(whole);
  const auto estimator = experiment.make_estimator(whole.object("estimator"));
  estimator->begin(experiment.initial_hyper(), Key(1));
  return estimator->estimate(experiment.initial_hyper())
      .gradient.at(name)
      .norm()
      .item<double>();
}

const Json kSettings = {{"type", "sgd"},
                        {"lr", "$lr"},
                        {"momentum", "$momentum"},
                        {"weight_decay", "$decay"}};

/// A ridge regression whose first weights are learned.
class LearnedStart : public Quadratic {
 public:
  LearnedStart() : Quadratic(ridge_terms(RidgeOptions(), float64())) {}

  std::vector<Hyperparameter> hyperparameters() const override {
    std::vector<Hyperparameter> out = Quadratic::hyperparameters();
    Hyperparameter start;
    start.name = "start";
    start.meaning = "Added to first weights.";
    start.initial = at::scalar_tensor(0.1, float64());
    out.push_back(start);
    return out;
  }

  ParameterSet initial_weights(const ParameterSet& hyper,
                               const Key& key) const override {
    return Quadratic::initial_weights(hyper, key).map([&](const Tensor& w) {
      return w + hyper.at("start");
    });
  }
};

}  // namespace

TEST_CASE(
    "settings of the training rule are refused where losses at given "
    "weights are differentiated",
    "[movable]") {
  for (const char* type : {"ift", "soba", "one_step", "f2sa"}) {
    CAPTURE(type);
    const std::string met = complaint(tuned_rule(kSettings, {{"type", type}}));
    for (const char* name : {"lr", "momentum", "decay"}) {
      CHECK_THAT(met, ContainsSubstring(fmt::format(
                          "/hyperparameters/{0}: the estimator \"{1}\" would "
                          "never move '{0}'",
                          name, type)));
    }
    CHECK_THAT(met, !ContainsSubstring("'weight_decay'"));
    CHECK_THAT(met, ContainsSubstring("unrolled") &&
                        ContainsSubstring("\"tuned\": false"));
    // The advice does not name what is refused itself.
    const std::string advice = met.substr(met.find("; take "));
    CHECK_THAT(advice.substr(0, advice.find('\n')),
               !ContainsSubstring("soba") && !ContainsSubstring("one_step"));
  }
}

TEST_CASE("the other form of a method is advised where it helps", "[movable]") {
  const Json dense = {{"type", "ift"}, {"solver", "dense"}};
  CHECK_THAT(complaint(tuned_rule(kSettings, dense)),
             ContainsSubstring("take \"form\": \"fixed_point\", "));
  // Conjugate gradients cannot solve it.
  CHECK_THAT(
      complaint(tuned_rule(
          kSettings, {{"type", "ift"}, {"solver", "conjugate_gradient"}})),
      !ContainsSubstring("fixed_point"));
}

TEST_CASE("what is advised moves settings of the training rule", "[movable]") {
  for (const Json& estimator :
       {Json{{"type", "ift"}, {"form", "fixed_point"}, {"solver", "dense"}},
        Json{{"type", "sama"}}, Json{{"type", "unrolled"}},
        Json{{"type", "forward"}}, Json{{"type", "apo"}},
        Json{{"type", "pes"}}}) {
    CAPTURE(estimator.dump());
    const Json config = tuned_rule(kSettings, estimator);
    CHECK(complaint(config).empty());
    for (const char* name : {"lr", "momentum", "decay"}) {
      CAPTURE(name);
      CHECK(gradient_of(config, name) > 0);
    }
  }
}

TEST_CASE("settings in schedules and preconditioners count as settings",
          "[movable]") {
  const Json scheduled = {
      {"type", "adam"},
      {"lr", {{"type", "cosine"}, {"initial", "$lr"}, {"steps", 100}}}};
  CHECK_THAT(complaint(tuned_rule(scheduled, {{"type", "soba"}})),
             ContainsSubstring("never move 'lr'"));
  Json kronecker = tuned_rule({{"type", "sgd"}}, {{"type", "ift"}});
  kronecker["inner"] = {{"type", "kronecker"},
                        {"preconditioner", "$preconditioner"}};
  kronecker["hyperparameters"]["preconditioner"] = Json::object();
  CHECK_THAT(complaint(kronecker),
             ContainsSubstring("never move 'preconditioner'"));
}

TEST_CASE("a setting that is a constant is no hyperparameter to move",
          "[movable]") {
  Json config = tuned_rule(kSettings, {{"type", "ift"}});
  for (const char* name : {"lr", "momentum", "decay"}) {
    config["hyperparameters"][name]["tuned"] = false;
  }
  CHECK(complaint(config).empty());
}

TEST_CASE(
    "learned first weights are refused where only the end of training "
    "counts",
    "[movable]") {
  const std::vector<HyperSpec> space{
      {"weight_decay", at::scalar_tensor(0.1, float64()), Coordinates::log()},
      {"start", at::scalar_tensor(0.1, float64())}};
  const Json rule = {{"type", "sgd"}, {"lr", 0.2}};
  const TrainingLoop loop(std::make_shared<Reparameterized>(
                              std::make_shared<LearnedStart>(), space),
                          OptimizerRegistry::instance().make(rule));
  const Config whole(
      Json{{"inner", rule}, {"hyperparameters", Json::object()}});
  const auto judge = [&](Json section) {
    section = complete(EstimatorRegistry::instance(), section);
    const auto estimator = EstimatorRegistry::instance().make(section, loop);
    require_movable(whole, Config(section), *estimator, loop);
  };
  for (const Json& section :
       {Json{{"type", "ift"}}, Json{{"type", "sama"}},
        Json{{"type", "ift"}, {"form", "fixed_point"}, {"solver", "dense"}}}) {
    CAPTURE(section.dump());
    CHECK_THROWS_WITH(judge(section),
                      ContainsSubstring("never move 'start'") &&
                          ContainsSubstring("how training began") &&
                          ContainsSubstring("unrolled") &&
                          !ContainsSubstring("'weight_decay'"));
  }
  CHECK_NOTHROW(judge({{"type", "unrolled"}}));
  CHECK_NOTHROW(judge({{"type", "es"}}));
}

TEST_CASE("a comparison has a row for what an estimator cannot move",
          "[movable]") {
  const TemporaryFolder folder;
  folder.write("a.json", tuned_rule({{"type", "sgd"}, {"lr", "$lr"}},
                                    {{"type", "unrolled"}})
                             .dump());
  folder.write("others.json", R"(["one_step"])");
  const Ended ended = program(folder.path(""),
                              "compare a.json --estimators others.json "
                              "--out out --repeats 1");
  CAPTURE(ended.output);
  CHECK(ended.code == 0);
  CHECK_THAT(ended.output,
             ContainsSubstring("failed: the estimator \"one_step\" would "
                               "never move 'lr'"));
}

TEST_CASE("a run says which hyperparameters did not move", "[movable]") {
  const TemporaryFolder folder;
  // Without a look-ahead only the validation loss is differentiated, which
  // does not depend on a decay.
  Json config = tuned_rule({{"type", "sgd"}, {"lr", 0.2}},
                           {{"type", "one_step"}, {"lookahead", 0}});
  config["outer"]["steps"] = 3;
  folder.write("a.json", config.dump());
  const Ended ended = program(folder.path(""), "run a.json --quiet --out out");
  CAPTURE(ended.output);
  CHECK(ended.code == 0);
  const std::string said = "'weight_decay' did not move in 3 outer steps";
  CHECK_THAT(ended.output, ContainsSubstring(said));
  const Json summary = Json::parse(read_file(folder.path("out/summary.json")));
  CHECK_THAT(summary["warnings"].dump(), ContainsSubstring(said));
}

TEST_CASE("numbers for steps that no run makes are warned of", "[movable]") {
  const auto told = [](std::int64_t steps, std::int64_t horizon) {
    Json config = tuned_rule({{"type", "sgd"}, {"lr", "$lr"}},
                             {{"type", "unrolled"}, {"horizon", horizon}});
    config["hyperparameters"]["lr"] = {
        {"initial", 0.05}, {"per", "step"}, {"steps", steps}};
    untold_warnings();
    CHECK(complaint(config).empty());
    std::string out;
    for (const std::string& text : untold_warnings()) out += text;
    return out;
  };
  CHECK(told(10, 10).empty());
  CHECK(told(100, 0).empty());  // 20 outer steps, windows of 5
  CHECK_THAT(told(30, 10), ContainsSubstring("only the first 10 of the 30"));
  CHECK_THAT(told(101, 0), ContainsSubstring("only the first 100 of the 101"));
}

}  // namespace nestgrad
