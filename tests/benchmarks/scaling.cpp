#include "scaling.h"

#include <ATen/ATen.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "core/platform/stopwatch.h"
#include "experiments/plot/chart.h"
#include "experiments/setup/experiment.h"
#include "experiments/setup/process.h"
#include "resident.h"

namespace nestgrad {
namespace {

constexpr std::int64_t kWindows[] = {10, 100, 1000, 10000, 100000};

struct Form {
  std::string name;
  Json estimator;
};

std::vector<Form> forms() {
  std::vector<Form> out;
  for (const char* checkpoints : {"none", "all", "sqrt", "log"}) {
    out.push_back({fmt::format("unrolled, {}", checkpoints),
                   {{"type", "unrolled"}, {"checkpoints", checkpoints}}});
  }
  out.push_back({"unrolled, last 10", {{"type", "unrolled"}, {"last", 10}}});
  out.push_back({"forward", {{"type", "forward"}}});
  out.push_back({"reversible", {{"type", "reversible"}}});
  return out;
}

struct Point {
  double seconds = NAN;
  double mib = NAN;
};

void estimate(Json estimator, std::int64_t steps) {
  estimator["window"] = estimator["horizon"] = steps;
  if (estimator.contains("last")) {
    estimator["last"] = std::min(steps, estimator["last"].get<std::int64_t>());
  }
  const Config config(complete(
      experiment_schema(),
      {{"problem", "quadratic"},
       {"precision", "float64"},
       {"hyperparameters",
        {{"weight_decay", {{"initial", 0.1}}},
         {"lr", {{"initial", 0.1}}},
         {"momentum", {{"initial", 0.9}}}}},
       {"inner", {{"type", "sgd"}, {"lr", "$lr"}, {"momentum", "$momentum"}}},
       {"estimator", std::move(estimator)}}));
  const Experiment experiment(config);
  const ParameterSet hyper = experiment.initial_hyper();
  const auto made = EstimatorRegistry::instance().make(
      config.object("estimator"), experiment.loop());
  made->begin(hyper, Key(1));
  made->estimate(hyper);
}

Point measured(const Json& estimator, std::int64_t steps) {
  prepare_process(1);
  estimate(estimator, 1);
  Point out;
  out.mib = peak_resident_mib([&] {
    const Stopwatch watch;
    estimate(estimator, steps);
    out.seconds = watch.seconds();
  });
  return out;
}

/// Measured in a new process.
Point measured_apart(const Json& estimator, std::int64_t steps) {
  int ends[2];
  require(pipe(ends) == 0, "cannot create a pipe");
  const pid_t child = fork();
  require(child >= 0, "cannot start a process");
  Point point;
  if (child == 0) {
    point = measured(estimator, steps);
    const bool written = write(ends[1], &point, sizeof point) == sizeof point;
    _exit(written ? 0 : 1);
  }
  close(ends[1]);
  const bool got = read(ends[0], &point, sizeof point) == sizeof point;
  close(ends[0]);
  waitpid(child, nullptr, 0);
  return got ? point : Point();
}

}  // namespace

void measure_scaling(const std::string& picture) {
  Panel seconds, mib;
  seconds.title = "seconds per hypergradient";
  mib.title = "MiB of resident memory at the peak";
  for (Panel* panel : {&seconds, &mib}) {
    panel->x_label = "training steps in the window";
    panel->logarithmic = panel->logarithmic_x = true;
  }
  fmt::print("{:18}{:>10}{:>12}{:>12}\n", "form", "steps", "seconds", "MiB");
  for (const Form& form : forms()) {
    for (Panel* panel : {&seconds, &mib}) {
      panel->curves.push_back({form.name, {}, {}});
    }
    for (const std::int64_t steps : kWindows) {
      const Point point = measured_apart(form.estimator, steps);
      fmt::print("{:18}{:>10}{:>12.4g}{:>12.4g}\n", form.name, steps,
                 point.seconds, point.mib);
      std::fflush(stdout);
      for (Panel* panel : {&seconds, &mib}) {
        Curve& curve = panel->curves.back();
        curve.x.push_back(static_cast<double>(steps));
        curve.y.push_back(panel == &seconds ? point.seconds : point.mib);
      }
    }
  }
  draw_chart(picture, "Unrolling a quadratic of two weights", {seconds, mib});
}

}  // namespace nestgrad
