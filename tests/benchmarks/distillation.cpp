#include "distillation.h"

#include <ATen/ATen.h>

#include <vector>

#include "core/config/json_file.h"
#include "core/platform/stopwatch.h"
#include "experiments/setup/experiment.h"
#include "experiments/setup/process.h"
#include "median.h"

namespace nestgrad {
namespace {

constexpr int kOuterSteps = 10;

/// Records the end of each outer step.
class Times : public Observer {
 public:
  Verdict on_step(const OuterStep& step) override {
    ends.push_back(step.seconds);
    return Verdict::kContinue;
  }
  std::vector<double> ends;
};

}  // namespace

void measure_outer_step(const std::string& config) {
  prepare_process(0);
  Json json = JsonFile::read(config).json();
  json["outer"]["steps"] = kOuterSteps + 1;
  Experiment experiment{Config(complete(experiment_schema(), json))};
  const auto window = json["estimator"].value("window", 10);
  const ParameterSet hyper = experiment.initial_hyper();

  TrainState state = experiment.loop().start(hyper, Key(1)).detach();
  state = experiment.loop().steps(state, window, hyper, Key(1));
  std::vector<double> plain;
  for (int i = 0; i < kOuterSteps; ++i) {
    const Stopwatch watch;
    state = experiment.loop().steps(state, window, hyper, Key(1));
    plain.push_back(watch.seconds() / window);
  }
  const auto times = std::make_shared<Times>();
  experiment.tune({times});
  std::vector<double> outer;
  for (std::size_t i = 1; i < times->ends.size(); ++i) {
    outer.push_back((times->ends[i] - times->ends[i - 1]) / window);
  }
  fmt::print(
      "{} hyperparameters, {} weights\n"
      "plain training step          {:8.3f} ms\n"
      "outer step / {:<4}            {:8.3f} ms, {:.2f} plain steps\n"
      "peak of resident memory      {:8.0f} MiB\n",
      hyper.numel(), state.weights.numel(), 1e3 * median(plain), window,
      1e3 * median(outer), median(outer) / median(plain), peak_memory_mib());
}

}  // namespace nestgrad
