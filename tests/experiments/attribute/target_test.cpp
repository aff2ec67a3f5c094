#include "experiments/attribute/target.h"

#include "experiments/setup/experiment.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

Experiment small() {
  return Experiment(experiment_config(
      Json{{"problem",
            {{"type", "supervised"},
             {"data",
              {{"type", "gaussian_clusters"},
               {"train", 30},
               {"valid", 20},
               {"test", 10}}},
             {"model", "logistic"}}},
           {"hyperparameters", {{"weight_decay", {{"initial", 0.1}}}}}}));
}

std::vector<std::string> names(const std::vector<std::string>& words) {
  const Experiment experiment = small();
  std::vector<std::string> out;
  for (const auto& target : read_targets(words, experiment.problem())) {
    out.push_back(target.name);
  }
  return out;
}

}  // namespace

TEST_CASE("targets are parts, examples, several examples, or their mean",
          "[attribute]") {
  using Words = std::vector<std::string>;
  CHECK(names({"valid"}) == Words{"valid"});
  CHECK(names({"test:3", "train:29"}) == Words{"test:3", "train:29"});
  CHECK(names({"test:0-2,7"}) == Words{"test:0", "test:1", "test:2", "test:7"});
  CHECK(names({"test:mean:0-2,7"}) == Words{"test:mean:0-2,7"});
  const TemporaryFolder folder;
  const std::string file =
      folder.write("targets.txt", "valid\n\n  test:4 \r\ntest:mean:1,2");
  CHECK(names({file, "test:5"}) ==
        Words{"valid", "test:4", "test:mean:1,2", "test:5"});
}

TEST_CASE("a target is the mean of the losses of its examples", "[attribute]") {
  const Experiment experiment = small();
  const auto& problem = experiment.problem();
  const ParameterSet h = experiment.initial_hyper();
  const ParameterSet w = experiment.loop().start(h, Key(2)).weights;
  const auto value = [&](const std::string& word) {
    return read_targets({word}, problem)
        .front()
        .function(problem)(w, h)
        .item<double>();
  };
  CHECK(value("valid") ==
        Approx(problem.evaluate(w, h).at("valid_loss")).epsilon(1e-5));
  CHECK(value("test") ==
        Approx(problem.evaluate(w, h).at("test_loss")).epsilon(1e-5));
  CHECK(value("test:mean:3,8") ==
        Approx((value("test:3") + value("test:8")) / 2).epsilon(1e-5));
  CHECK(value("test:3") != Approx(value("test:8")));
}

TEST_CASE("words that name no target are refused with a sentence",
          "[attribute]") {
  const auto refused = [](const std::string& word, const std::string& why) {
    CAPTURE(word);
    CHECK_THROWS_WITH(names({word}), ContainsSubstring(why));
  };
  refused("vlaid", "neither a file nor does it begin with");
  refused("test:10", "there are 10 'test' examples, from 0 to 9");
  refused("test:5-3", "there are 10 'test' examples");
  for (const char* word : {"test:", "test:x", "test:1-", "test:-1", "test:1,",
                           "test:mean:", "test:99999999999999999999"}) {
    refused(word, "does not name targets");
  }
  CHECK_THROWS_WITH(names({}), ContainsSubstring("there are no targets"));
}

}  // namespace nestgrad
