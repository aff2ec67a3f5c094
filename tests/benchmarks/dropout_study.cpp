#include "dropout_study.h"

#include <ATen/ATen.h>

#include <cmath>
#include <cstdio>
#include <vector>

#include "core/config/json_file.h"
#include "core/platform/stopwatch.h"
#include "experiments/plot/chart.h"
#include "experiments/setup/experiment.h"
#include "experiments/setup/process.h"

namespace nestgrad {
namespace {

constexpr int kSeeds = 3;
constexpr int kSeedsOfOrigins = 6;
constexpr std::int64_t kLengths[] = {50, 150, 500, 2000};  // outer steps
constexpr double kGrid[] = {0.05, 0.2, 0.3, 0.4, 0.5, 0.6};
constexpr double kStarts[] = {0.05, 0.2, 0.35, 0.5, 0.65};
constexpr std::int64_t kEvery = 10;  // outer steps between points of a curve

/// Records the mean of the rates.
class Rates : public Observer {
 public:
  Verdict on_step(const OuterStep& step) override {
    if (step.step % kEvery == 1 && step.natural->size() == 1) {
      curve.x.push_back(static_cast<double>(step.step));
      curve.y.push_back(step.natural->flatten().mean().item<double>());
    }
    return Verdict::kContinue;
  }

  Curve curve;
};

struct Result {
  Metrics metrics;
  ParameterSet rates;  // in their own units
  Curve curve;
};

Result run(const Json& json) {
  Experiment experiment{Config(complete(experiment_schema(), json))};
  const auto rates = std::make_shared<Rates>();
  const ParameterSet hyper = experiment.tune({rates}).hyper;
  return {experiment.evaluate(hyper), experiment.natural(hyper), rates->curve};
}

/// "0.3541 +- 0.0020": mean and standard error.
std::string mean(const std::vector<double>& values, int digits) {
  const auto n = static_cast<double>(values.size());
  double sum = 0, squares = 0;
  for (const double v : values) sum += v;
  for (const double v : values) squares += (v - sum / n) * (v - sum / n);
  return fmt::format("{:.{}f} +- {:.{}f}", sum / n, digits,
                     std::sqrt(squares / (n - 1) / n), digits);
}

/// Runs the experiment with the seeds 1 .. `seeds` and prints a row. The
/// validation losses.
std::vector<double> row(const std::string& name, const Json& json, int seeds) {
  std::vector<double> valid, test, accuracy;
  std::string rates;
  const Stopwatch watch;
  for (int seed = 1; seed <= seeds; ++seed) {
    Json own = json;
    own["seed"] = seed;
    const Result result = run(own);
    valid.push_back(result.metrics.at("valid_loss"));
    test.push_back(result.metrics.at("test_loss"));
    accuracy.push_back(100 * result.metrics.at("test_accuracy"));
    if (result.rates.empty()) continue;
    const Tensor found = result.rates.flatten().to(at::kDouble);
    rates += rates.empty() ? "" : "; ";
    for (std::int64_t i = 0; i < found.numel(); ++i) {
      rates +=
          fmt::format("{}{:.2f}", i > 0 ? " " : "", found[i].item<double>());
    }
  }
  fmt::print("| {} | {} | {} | {} % | {} | {:.0f} |\n", name, mean(valid, 3),
             mean(test, 3), mean(accuracy, 1), rates, watch.seconds() / seeds);
  std::fflush(stdout);
  return valid;
}

/// The same experiment with one fixed rate in all places.
Json fixed_at(const Json& json, double rate) {
  Json out = json;
  out["hyperparameters"]["dropout"]["initial"] = rate;
  out["hyperparameters"]["dropout"]["tuned"] = false;
  return out;
}

/// The same experiment with this many outer steps. Its schedules end with it.
Json shortened(const Json& json, std::int64_t outer_steps) {
  Json out = json;
  const auto& estimator = json["estimator"];
  const std::int64_t windows =
      outer_steps + estimator["warm_up"].get<std::int64_t>();
  out["outer"]["steps"] = out["outer"]["lr"]["steps"] = outer_steps;
  out["inner"]["lr"]["steps"] =
      windows * estimator["window"].get<std::int64_t>();
  return out;
}

void header() {
  fmt::print(
      "| | validation loss | test loss | test accuracy | rates found | "
      "seconds per run |\n"
      "| --- | --- | --- | --- | --- | --- |\n");
}

}  // namespace

void study_dropout(const std::string& config) {
  prepare_process(0);
  const Json json = JsonFile::read(config).json();
  header();
  for (const char* type : {"stn", "delta_stn"}) {
    Json own = json;
    own["estimator"]["type"] = type;
    row(fmt::format("`{}`", type), own, kSeeds);
  }
  for (const double rate : kGrid) {
    row(fmt::format("fixed rate {}", rate), fixed_at(json, rate), kSeeds);
  }
}

void study_origins(const std::string& config) {
  prepare_process(0);
  for (const std::int64_t length : kLengths) {
    const Json json = shortened(JsonFile::read(config).json(), length);
    const double start = json["hyperparameters"]["dropout"]["initial"];
    fmt::print("\n{} outer steps\n\n", length);
    header();
    const std::vector<double> fixed =
        row(fmt::format("fixed rate {}", start), fixed_at(json, start),
            kSeedsOfOrigins);
    std::string verdict;
    const auto compare = [&](const std::string& name, const Json& changes) {
      Json own = json;
      own["estimator"].update(changes);
      const std::vector<double> valid = row(name, own, kSeedsOfOrigins);
      int better = 0;
      for (std::size_t i = 0; i < valid.size(); ++i) {
        better += valid[i] < fixed[i] ? 1 : 0;
      }
      verdict += fmt::format("{}: below the fixed rate with {} of {} seeds\n",
                             name, better, valid.size());
    };
    for (const char* origin : {"start", "zero"}) {
      compare(fmt::format("`stn`, origin `{}`", origin),
              {{"type", "stn"}, {"origin", origin}});
    }
    compare("`delta_stn`", {{"type", "delta_stn"}});
    fmt::print("\n{}", verdict);
  }
}

void draw_dropout_starts(const std::string& config,
                         const std::string& picture) {
  prepare_process(0);
  const Json json = JsonFile::read(config).json();
  Panel panel;
  panel.title = "dropout rate";
  panel.x_label = "outer step";
  for (const double start : kStarts) {
    Json own = json;
    own["hyperparameters"]["dropout"]["initial"] = start;
    own["hyperparameters"]["dropout"]["per"] = "all";
    own["estimator"]["type"] = "delta_stn";
    panel.curves.push_back(run(own).curve);
    panel.curves.back().name = fmt::format("start {}", start);
    fmt::print("start {}: ends at {:.3f}\n", start,
               panel.curves.back().y.back());
    std::fflush(stdout);
  }
  draw_chart(picture, "One dropout rate, tuned from five starts", {panel});
}

}  // namespace nestgrad
