#include "tests/kit/contract.h"

#include <filesystem>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "core/config/json_file.h"
#include "core/hyper_space.h"
#include "tests/support/layer_cases.h"
#include "tests/support/program.h"
#include "tests/support/shortened.h"

namespace nestgrad::testing {
namespace {

/// The problems that the program lists. The registry of this process has those
/// of other tests as well.
std::vector<std::string> shipped_problems() {
  const Ended ended = program(".", "list problems");
  REQUIRE(ended.code == 0);
  std::vector<std::string> names;
  std::istringstream lines(ended.output);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] == ' ') continue;  // a meaning goes on
    names.push_back(line.substr(0, line.find(' ')));
  }
  REQUIRE(names.size() > 5);
  return names;
}

}  // namespace

TEST_CASE("every registered estimator keeps its contract", "[contract]") {
  for (const std::string& name : EstimatorRegistry::instance().names()) {
    CAPTURE(name);
    CHECK(estimator_faults({{"type", name}}) == Faults{});
  }
}

TEST_CASE("an estimator keeps its contract with a warm-started solver",
          "[contract]") {
  CHECK(estimator_faults({{"type", "ift"},
                          {"solver",
                           {{"type", "conjugate_gradient"},
                            {"iterations", 3},
                            {"warm_start", true}}}}) == Faults{});
}

TEST_CASE("the problem of every configuration keeps its contract",
          "[contract]") {
  std::set<std::string> met;
  for (const std::string& path : shipped_configs()) {
    CAPTURE(path);
    const Json config = shortened(shipped_config(path));
    const Json& problem = config["problem"];
    met.insert(problem.is_string() ? problem.get<std::string>()
                                   : problem.value("type", ""));
    Json hyperparameters = config["hyperparameters"];
    for (const std::string& of_the_rule : references(config["inner"])) {
      hyperparameters.erase(of_the_rule);
    }
    CHECK(problem_faults(problem, hyperparameters) == Faults{});
  }
  for (const std::string& name : shipped_problems()) {
    CAPTURE(name);
    CHECK(met.count(name) == 1);
  }
}

TEST_CASE("squared errors keep the contract and are half a squared distance",
          "[contract]") {
  const Json section = {
      {"type", "classification"},
      {"loss", "squared_error"},
      {"data", {{"type", "fashion_mnist"}, {"train", 20}, {"valid", 30}}},
      {"model", "logistic"},
      {"batch", 5}};
  CHECK(problem_faults(section, {{"weight_decay", Json::object()},
                                 {"example_weight", Json::object()}}) ==
        Faults{});
  const auto problem =
      ProblemRegistry::instance().make(section, {float64(), Key(1)});
  const ParameterSet weights = problem->initial_weights({}, Key(2)).zeros();
  // Outputs of zeros: the distance is that of the one from 0 to 1.
  CHECK(problem->valid_loss(weights, {}, Draw()).item<double>() == 0.5);
  CHECK(problem->train_loss(weights, {}, Draw()).item<double>() == 0.5);
  CHECK(problem->evaluate(weights, {}).at("valid_loss") == Approx(0.5));
}

TEST_CASE("every registered layer keeps its contract", "[contract]") {
  for (const LayerCase& c : layer_cases()) {
    CAPTURE(c.config.dump());
    CHECK(layer_faults(c.config, input_for(c)) == Faults{});
  }
}

}  // namespace nestgrad::testing
