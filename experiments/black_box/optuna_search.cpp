#include <fmt/format.h>

#include <cmath>
#include <memory>

#include "experiments/black_box/black_box_search.h"
#include "experiments/black_box/conversation.h"
#include "experiments/report/assets.h"

namespace nestgrad {
namespace {

/// Optuna's tree-structured Parzen estimator with its default settings, in a
/// Python process (Akiba, Sano, Yanase, Ohta and Koyama 2019, "Optuna: a
/// next-generation hyperparameter optimization framework"; Bergstra, Bardenet,
/// Bengio and Kegl 2011, "Algorithms for hyper-parameter optimization").
class OptunaSearch : public BlackBoxSearch {
 public:
  OptunaSearch(const Config& config, const SearchContext& context)
      : python_(config.text("python")),
        process_({python_, "-c", assets().at("black_box/ask_optuna.py")}) {
    Json space = {{"names", Json::array()},
                  {"low", Json::array()},
                  {"high", Json::array()},
                  {"logarithmic", Json::array()},
                  {"seed", context.key.bits() >> 32U}};
    for (const SearchedNumber& n : context.numbers) {
      space["names"].push_back(n.name);
      space["low"].push_back(n.low);
      space["high"].push_back(n.high);
      space["logarithmic"].push_back(n.logarithmic);
    }
    if (!process_.ask(to_line(space))) {
      throw SearchMissing(
          fmt::format("Optuna is not there: '{}' cannot import it. On Debian "
                      "it is the package python3-optuna",
                      python_));
    }
  }

  static Schema schema() {
    return Schema("Optuna's tree-structured Parzen estimator (TPE).")
        .text("python", "python3",
              "A Python that can import Optuna 3 or later.");
  }

  std::vector<double> next(const std::vector<Trial>& trials) override {
    Json added = Json::array();
    for (; told_ < trials.size(); ++told_) {
      const Trial& trial = trials[told_];
      const Json loss = std::isfinite(trial.loss) ? Json(trial.loss) : Json();
      added.push_back({trial.values, loss});
    }
    const auto line = process_.ask(to_line(added));
    require(line.has_value(), "Optuna has ended, the process of '{}'", python_);
    const Json answer = Json::parse(*line, nullptr, false);
    require(answer.is_array() && answer.size() == 2 && answer[0].is_array(),
            "Optuna has answered '{}'", *line);
    seconds_ = answer[1].get<double>();
    return answer[0].get<std::vector<double>>();
  }

  double seconds_elsewhere() const override { return seconds_; }

 private:
  std::string python_;
  Conversation process_;
  std::size_t told_ = 0;  // trials
  double seconds_ = 0;
};

NESTGRAD_REGISTER(BlackBoxRegistry, "optuna", OptunaSearch)

}  // namespace
}  // namespace nestgrad
