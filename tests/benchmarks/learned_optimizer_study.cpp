#include "learned_optimizer_study.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <cstdio>

#include "core/config/json_file.h"
#include "core/platform/stopwatch.h"
#include "experiments/setup/experiment.h"

namespace nestgrad {
namespace {

constexpr int kSeedsOfRules = 5;
constexpr double kRates[] = {3e-4, 1e-3, 2e-3, 3e-3, 5e-3, 1e-2, 3e-2};

struct LossCurve {
  double area, end;
};

LossCurve trained_for(const Config& config, std::int64_t steps) {
  const Experiment experiment(config);
  const ParameterSet hyper = experiment.initial_hyper();
  Truncation cut;
  cut.window = 1;
  InnerRun run(experiment.loop(), cut);
  run.begin(hyper, experiment.tuning_key());
  double sum = 0;
  for (std::int64_t step = 0; step < steps; ++step) {
    run.advance(hyper);
    const at::NoGradGuard no_tape;
    sum += experiment.problem()
               .valid_loss(run.state().weights, hyper, run.draw("valid"))
               .item<double>();
  }
  const Metrics metrics =
      experiment.problem().evaluate(run.deployed(hyper), hyper);
  return {sum / static_cast<double>(steps), metrics.at("valid_loss")};
}

std::string mean_and_deviation(const std::vector<double>& values) {
  const auto n = static_cast<double>(values.size());
  double sum = 0, squares = 0;
  for (const double v : values) sum += v;
  for (const double v : values) squares += (v - sum / n) * (v - sum / n);
  return fmt::format("{:.4f} +- {:.4f}", sum / n, std::sqrt(squares / (n - 1)));
}

/// `inner`: null for the rule of the file itself.
void row_of_rule(const std::string& name, const JsonFile& file,
                 const Json& inner, std::int64_t steps) {
  std::vector<double> areas, ends;
  const Stopwatch watch;
  for (int seed = 1; seed <= kSeedsOfRules; ++seed) {
    JsonFile own = file;
    own.set(fmt::format("seed={}", seed));
    if (!inner.is_null()) own.set("inner=" + inner.dump());
    const LossCurve curve = trained_for(experiment_config(own), steps);
    areas.push_back(curve.area);
    ends.push_back(curve.end);
  }
  fmt::print("| {} | {} | {} | {:.1f} |\n", name, mean_and_deviation(areas),
             mean_and_deviation(ends), watch.seconds() / kSeedsOfRules);
  std::fflush(stdout);
}

}  // namespace

void study_learned_optimizer(const std::string& config, std::int64_t steps) {
  const JsonFile file = JsonFile::read(config);
  fmt::print(
      "| rule | area under the validation loss | at the end | seconds |\n"
      "| --- | --- | --- | --- |\n");
  row_of_rule("of the configuration", file, Json(), steps);
  for (const double rate : kRates) {
    row_of_rule(fmt::format("adam, learning rate {:g}", rate), file,
                Json{{"type", "adam"},
                     {"lr", rate},
                     {"minibatches",
                      file.json()["inner"].value("minibatches", "common")}},
                steps);
  }
}

}  // namespace nestgrad
