// Numbers of a configuration in the type in which they are used.

#include "experiments/setup/experiment.h"
#include "hypergrad/resolution.h"
#include "tests/experiments/run/small_run.h"
#include "tests/support/program.h"
#include "tests/support/ridge_config.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

/// What is said about ridge regression in this type with one decay; "" if
/// nothing is wrong.
std::string complaints(const Json& decay, const std::string& precision,
                       const Json& changes = Json::object()) {
  Json config = ridge_config();
  config["precision"] = precision;
  config["hyperparameters"]["weight_decay"] = decay;
  config.merge_patch(changes);
  try {
    Experiment{experiment_config(config)};
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

Json in(const char* coordinates, const Json& initial) {
  return {{"coordinates", coordinates}, {"initial", initial}};
}

}  // namespace

TEST_CASE("a start that has no coordinates in its type is refused",
          "[experiment]") {
  const std::string place = "/hyperparameters/weight_decay/initial: must be ";
  struct Start {
    Json decay;
    std::string complaint;
  };
  const Start start = GENERATE_COPY(
      Start{in("log", 1e-50), "a positive number, but 1e-50 is 0 in float32"},
      Start{in("log", 1e39), "a positive number, but 1e+39 is inf in float32"},
      Start{in("softplus", 1e-60), "a positive number, but 1e-60 is 0"},
      Start{in("logit", 0.9999999999), "but 0.9999999999 is 1 in float32"},
      Start{in("logit", 1e-50), "but 1e-50 is 0 in float32"},
      Start{in("real", -1e39), "but -1e+39 is -inf in float32"});
  CAPTURE(start.decay.dump());
  const std::string met = complaints(start.decay, "float32");
  CHECK_THAT(met, ContainsSubstring(place) &&
                      ContainsSubstring(start.complaint) &&
                      ContainsSubstring("\"precision\": \"float64\""));
  CHECK(complaints(start.decay, "float64").empty());
}

TEST_CASE("a start of many numbers is judged number by number",
          "[experiment]") {
  std::vector<double> numbers(12, 0.1);
  Json decay = in("log", numbers);
  decay["per"] = "weight";
  CHECK(complaints(decay, "float32").empty());
  numbers[7] = 1e-50;
  decay["initial"] = numbers;
  CHECK_THAT(complaints(decay, "float32"), ContainsSubstring("1e-50 is 0"));
}

TEST_CASE("ordinary starts are accepted in float32", "[experiment]") {
  for (const Json& decay :
       {in("log", 1e-30), in("log", 1e30), in("softplus", 1e-6),
        in("logit", 0.999999), in("logit", 1e-30), in("real", -1e30)}) {
    CAPTURE(decay.dump());
    CHECK(complaints(decay, "float32").empty());
  }
}

TEST_CASE("a range whose ends float32 does not tell apart is refused",
          "[experiment]") {
  Json decay = in("logit", 1.0000000005);
  decay["range"] = {1.0, 1.000000001};
  CHECK_THAT(complaints(decay, "float32"),
             ContainsSubstring("/weight_decay/range: from 1 to 1.000000001"));
  CHECK(complaints(decay, "float64").empty());
}

TEST_CASE("settings that are something else in float32 are refused",
          "[experiment]") {
  struct Change {
    Json change;
    std::string complaint;
  };
  const Change c = GENERATE_COPY(
      Change{{{"inner", {{"lr", 1e-50}}}}, "/inner/lr: 1e-50 is 0 in float32"},
      Change{{{"inner", {{"lr", 1e39}}}}, "/inner/lr: 1e+39 is inf"},
      Change{{{"outer", {{"epsilon", 1e-60}}}}, "/outer/epsilon: 1e-60 is 0"},
      Change{{{"estimator",
               {{"solver", {{"type", "neumann"}, {"scale", 1e-60}}}}}},
             "/estimator/solver/scale: 1e-60 is 0"});
  CAPTURE(c.change.dump());
  const Json decay = in("log", 0.1);
  CHECK_THAT(complaints(decay, "float32", c.change),
             ContainsSubstring(c.complaint));
  CHECK(complaints(decay, "float64", c.change).empty());
}

TEST_CASE("budgets may be as large as double precision allows",
          "[experiment]") {
  CHECK(complaints(in("log", 0.1), "float32",
                   {{"outer", {{"stop", {{"seconds", 1e200}}}}}})
            .empty());
}

TEST_CASE("distances that rounding swallows are refused", "[experiment]") {
  const auto met = [](const Json& estimator, const std::string& precision) {
    Json config = small(1);  // its first weights are not zero
    config["precision"] = precision;
    config["estimator"] = estimator;
    try {
      Experiment{experiment_config(config)};
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  const Json sama = {{"type", "sama"}, {"difference", 1e-9}};
  const Json es = {{"type", "es"}, {"sigma", 1e-7}};
  const Json slow = {{"type", "finite_difference"}, {"difference", 1e-7}};
  CHECK_THAT(met(sama, "float32"),
             ContainsSubstring("/estimator/difference: 1e-09 is lost in the "
                               "rounding of weights"));
  CHECK_THAT(met(es, "float32"),
             ContainsSubstring("/estimator/sigma: 1e-07 is lost in the "
                               "rounding of hyperparameters"));
  CHECK_THAT(met(slow, "float32"), ContainsSubstring("/estimator/difference"));
  for (const Json& estimator : {sama, es, slow}) {
    CHECK(met(estimator, "float64").empty());
    CHECK(met(estimator["type"], "float32").empty());
  }
}

TEST_CASE("a precision that a device, a problem or a method lacks is refused",
          "[experiment]") {
  const auto met = [](const Json& changes) {
    Json config = small(1);
    config.merge_patch(changes);
    try {
      Experiment{experiment_config(config)};
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  const auto with = [](Json more) {
    more["precision"] = "bfloat16";
    return more;
  };
  CHECK(met(with({})).empty());
  CHECK_THAT(met({{"precision", "tf32"}}),
             ContainsSubstring("/precision: \"tf32\" is a type of CUDA's "
                               "devices, and the device is cpu; take "
                               "\"float32\""));
  CHECK_THAT(met(with({{"device", "privateuseone"}})),
             ContainsSubstring("/precision: \"bfloat16\" is there on the CPU "
                               "and on CUDA"));
  for (const Json& estimator :
       {Json("sama"), Json("f2sa"), Json("finite_difference"),
        Json{{"type", "one_step"}, {"products", "finite_difference"}},
        Json{{"type", "ift"},
             {"solver",
              {{"type", "neumann"}, {"products", "finite_difference"}}}}}) {
    CAPTURE(estimator.dump());
    CHECK_THAT(met(with({{"estimator", estimator}})),
               ContainsSubstring("/precision: \"bfloat16\" rounds networks"));
  }
  CHECK_THAT(complaints(in("log", 0.1), "bfloat16"),
             ContainsSubstring("the problem \"ridge\" has none"));
}

TEST_CASE("a run from before \"dtype\" was called \"precision\" is read",
          "[experiment]") {
  Json config = ridge_config();
  config.erase("precision");
  config["dtype"] = "float64";
  CHECK(experiment_config(config).text("precision") == "float64");
}

TEST_CASE("the losses of a problem have the precision of the configuration",
          "[experiment]") {
  Json config = small(1);
  config["precision"] = "bfloat16";
  Experiment low(experiment_config(config));
  config["precision"] = "float32";
  Experiment high(experiment_config(config));
  const auto loss = [](const Experiment& experiment) {
    const ParameterSet hyper = experiment.initial_hyper();
    return experiment.problem()
        .valid_loss(experiment.problem().initial_weights(hyper, Key(1)), hyper,
                    Draw())
        .item<double>();
  };
  CHECK(loss(low) != loss(high));
  CHECK(loss(low) == Approx(loss(high)).epsilon(0.02));
}

TEST_CASE("the largest value of a set is NaN where one of its numbers is",
          "[experiment]") {
  const Tensor numbers = at::tensor({1., -3.}, at::kDouble);
  CHECK(largest_of({}) == 0);
  CHECK(largest_of({{"a", numbers}, {"b", at::zeros({0}, at::kDouble)}}) == 3);
  for (const Tensor& other : {numbers, numbers * NAN}) {
    CHECK(std::isnan(largest_of({{"a", numbers * NAN}, {"b", other}})));
    CHECK(std::isnan(largest_of({{"a", other}, {"b", numbers * NAN}})));
  }
}

TEST_CASE("the program refuses a start that underflows before anything runs",
          "[experiment]") {
  const TemporaryFolder folder;
  Json config = ridge_config();
  config["precision"] = "float32";
  config["hyperparameters"]["weight_decay"] = {{"initial", 1e-50}};
  folder.write("a.json", config.dump());
  const Ended ended = program(folder.path(""), "run a.json --out out");
  CAPTURE(ended.output);
  CHECK(ended.code == 2);
  CHECK_THAT(ended.output, ContainsSubstring("weight_decay/initial") &&
                               ContainsSubstring("is 0 in float32"));
  CHECK_FALSE(std::filesystem::exists(folder.path("out")));
}

}  // namespace nestgrad
