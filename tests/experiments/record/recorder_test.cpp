#include "experiments/record/recorder.h"

#include "core/platform/files.h"
#include "core/tensor/key.h"
#include "experiments/record/json_lines.h"
#include "tests/experiments/run/small_run.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/threads.h"

namespace nestgrad {
namespace {

/// A run of `steps` outer steps with its recorder.
struct Recorded {
  Recorded(const TemporaryFolder& folder, const Json& json)
      : config(experiment_config(json)), experiment(config) {
    recorder =
        std::make_shared<Recorder>(folder.path(""), 1, experiment.problem(),
                                   tuned_hypers(config, experiment));
    experiment.tune({recorder});
  }

  std::vector<Panel> panels() const {
    return recorder->panels(experiment.natural(experiment.hyper()));
  }

  Config config;
  Experiment experiment;
  std::shared_ptr<Recorder> recorder;
};

Json with_schedule(int steps) {
  Json json = small(2);
  json["hyperparameters"] = {
      {"lr", {{"initial", 0.1}, {"per", "step"}, {"steps", steps}}}};
  json["inner"] = {{"type", "sgd"}, {"lr", "$lr"}};
  json["estimator"] = {
      {"type", "unrolled"}, {"window", steps}, {"horizon", steps}};
  return json;
}

}  // namespace

TEST_CASE(
    "the mean of a hyperparameter does not depend on what was computed before",
    "[recorder][threads]") {
  const ParameterSet hyper{
      {"x", Key(1).normal(at::empty({300001}, float64()))}};
  const Threads two(2);
  const auto before = summary_of(hyper, {});
  give_threads_to_convolutions(1 << 20);
  const auto after = summary_of(hyper, {});
  CHECK(after == before);
}

TEST_CASE("a schedule is drawn over training steps, at its start and as found",
          "[record]") {
  const int steps = GENERATE(4, 20);  // few numbers have columns of their own
  const TemporaryFolder folder;
  const Recorded run(folder, with_schedule(steps));
  const std::vector<Panel> panels = run.panels();
  REQUIRE(panels.size() == 2);
  CHECK(panels[0].x_label == "outer step");
  const Panel& panel = panels[1];
  CHECK(panel.title == "lr");
  CHECK(panel.x_label == "training step");
  CHECK(panel.y_label == "Learning rate");
  CHECK(panel.logarithmic);
  REQUIRE(panel.curves.size() == 2);
  CHECK(panel.curves[0].name == "found");
  CHECK(panel.curves[1].name == "start");
  const Tensor found = run.experiment.natural(run.experiment.hyper()).at("lr");
  for (int i = 0; i < steps; ++i) {
    const auto k = static_cast<std::size_t>(i);
    CHECK(panel.curves[0].x[k] == i + 1);
    CHECK(panel.curves[0].y[k] == found[i].item<float>());
    CHECK(panel.curves[1].y[k] == Approx(0.1));
  }
  CHECK(panel.curves[0].y != panel.curves[1].y);
}

TEST_CASE(
    "what is moved in logarithms has a logarithmic axis, however little "
    "it moves",
    "[record]") {
  const TemporaryFolder folder;
  Json json = small(2);
  const std::string coordinates = GENERATE("log", "real");
  json["hyperparameters"]["weight_decay"]["coordinates"] = coordinates;
  const Recorded run(folder, json);
  const std::vector<Panel> panels = run.panels();
  REQUIRE(panels.size() == 2);
  CHECK(panels[1].logarithmic == (coordinates == "log"));
  CHECK(panels[1].y_label ==
        "Factor d of the penalty d w^2 / 2 on the weights");
}

TEST_CASE("what is tuned is told with its meaning and its start", "[record]") {
  const TemporaryFolder folder;
  const Json decay = Recorded(folder, small(2)).recorder->tuned();
  CHECK(decay["weight_decay"]["start"]["weight_decay"].get<double>() ==
        Approx(1e-3));
  CHECK(decay["weight_decay"]["logarithmic"] == true);
  CHECK_FALSE(decay["weight_decay"].contains("schedule"));
  const Json schedule = Recorded(folder, with_schedule(20)).recorder->tuned();
  CHECK(schedule["lr"]["meaning"] == "Learning rate.");
  CHECK(schedule["lr"]["numbers"] == 20);
  CHECK(schedule["lr"]["schedule"].size() == 20);
  CHECK(schedule["lr"]["start"]["lr.max"].get<double>() == Approx(0.1));
}

TEST_CASE("a setting inside of a schedule has the meaning of both",
          "[record]") {
  const TemporaryFolder folder;
  Json json = with_schedule(6);
  json["hyperparameters"] = {{"first", {{"initial", 0.1}}}};
  json["inner"]["lr"] = {
      {"type", "cosine"}, {"initial", "$first"}, {"steps", 6}};
  const Json tuned = Recorded(folder, json).recorder->tuned();
  CHECK_THAT(tuned["first"]["meaning"].get<std::string>(),
             ContainsSubstring("Learning rate. "));
}

TEST_CASE("a hyperparameter has one name in all lines, the start's included",
          "[record]") {
  const TemporaryFolder folder;
  const Config config = experiment_config(small(1));
  const Experiment experiment(config);
  Recorder recorder(folder.path(""), 1, experiment.problem(), {});
  const ParameterSet tuned{{"scale", at::full({}, 0.5, at::kDouble)},
                           {"decay", at::full({}, 2.0, at::kDouble)}};
  const Metrics of_estimate = {{"scale", 7}}, none;
  OuterStep step;
  step.hyper = step.natural = step.next = &tuned;
  step.evaluate = [] { return Metrics(); };
  step.metrics = &none;
  recorder.on_start(step);
  step.step = 1;
  step.metrics = &of_estimate;
  recorder.on_step(step);
  recorder.flush();
  const auto lines = parse_json_lines(read_file(folder.path("metrics.jsonl")));
  REQUIRE(lines.size() == 2);
  CHECK_FALSE(lines[0].contains("scale"));
  CHECK(lines[1]["scale"] == 7);
  for (const Json& line : lines) {
    CHECK(line["hyper.scale"] == 0.5);
    CHECK(line["decay"] == 2.0);
  }
}

}  // namespace nestgrad
