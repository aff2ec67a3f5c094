// Experiments on a device that is no CPU.

#include "core/tensor/device.h"

#include <algorithm>
#include <filesystem>
#include <memory>

#include "core/platform/files.h"
#include "core/platform/warnings.h"
#include "core/tensor/number.h"
#include "experiments/setup/experiment.h"
#include "tests/fake_device/fake_device.h"
#include "tests/support/program.h"
#include "tests/support/shortened.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

/// What tuning comes to, in a few numbers, and what the device has sent to the
/// CPU.
class Course : public Observer {
 public:
  Course(Json config, const std::string& device) {
    config["device"] = device;
    Experiment experiment(Config(complete(experiment_schema(), config)));
    const auto self = std::shared_ptr<Observer>(this, [](Observer*) {});
    const OuterResult result = experiment.tune({self});
    train_losses = experiment.problem().train_losses();
    hyper = result.hyper.to(at::TensorOptions(at::kCPU).dtype(at::kDouble));
  }

  Verdict on_step(const OuterStep& step) override {
    losses.push_back(step.objective);
    const std::int64_t now = fake_device::transfers().to_host;
    if (before_ >= 0) transfers.push_back(now - before_);
    before_ = now;
    return Verdict::kContinue;
  }

  std::vector<double> losses;
  std::vector<std::int64_t> transfers;  // per outer step, from the second on
  std::int64_t train_losses = 0;        // evaluations
  ParameterSet hyper;

 private:
  std::int64_t before_ = -1;
};

void check_same(const Course& a, const Course& b, double tolerance) {
  REQUIRE(a.losses.size() == b.losses.size());
  for (std::size_t k = 0; k < a.losses.size(); ++k) {
    CHECK(a.losses[k] == Approx(b.losses[k]).epsilon(tolerance));
  }
  // As vectors: noise differs by rounding (see Key), and Adam's first move
  // divides a number by its own size, so that this difference is as large as
  // one likes in a number that happens to be near zero.
  for (std::size_t i = 0; i < a.hyper.size(); ++i) {
    CAPTURE(a.hyper.name(i));
    const Tensor &x = a.hyper.tensors()[i], &y = b.hyper.tensors()[i];
    const double difference = (x - y).norm().item<double>();
    CHECK(difference <= tolerance * (10 * y.norm().item<double>() + 0.01));
  }
}

/// Solvers that look at a guess or decompose a matrix, derivatives of training
/// by evolution, central differences, layers that look at their settings, those
/// whose states are whole numbers on the CPU, and games that solve or decompose
/// something themselves read more.
bool reads_often(const Json& config) {
  const std::string text = config.dump();
  for (const char* part :
       {"warm_start", "nystrom", "finite_difference", "evolution", "cutout",
        "f2sa", "metric", "rev_gru", "prisoners_dilemma", "ridge_rider"}) {
    if (text.find(part) != std::string::npos) return true;
  }
  return !config.contains("hyperparameters");
}

/// A shipped configuration, shortened, whose windows are all from one start.
Json replayable(const std::string& name, std::int64_t outer_steps) {
  Json config = shortened(shipped_config(fmt::format(
                              "{}/configs/{}.json", NESTGRAD_SOURCE_DIR, name)),
                          outer_steps);
  config["precision"] = "float64";
  config["estimator"]["starts"] = 1;
  return config;
}

/// Checks that a run is the same with replays, and returns how many it made.
std::int64_t replays_without_a_difference(Json config) {
  const Course without(config, "privateuseone");
  config["device_graphs"] = true;
  const std::int64_t before = fake_device::replays();
  const Course with(config, "privateuseone");
  check_same(with, without, 1e-12);
  // "unrolled" trains its window once more.
  const bool again = config["estimator"]["type"] == "unrolled";
  CHECK(with.train_losses == (again ? 2 : 1) * without.train_losses);
  return fake_device::replays() - before;
}

/// What reads in the middle of a step cannot be recorded and must be refused.
void check_recorded_or_refused(Json config, const Course& without) {
  config["device_graphs"] = true;
  try {
    check_same(Course(config, "privateuseone"), without, 1e-12);
  } catch (const Error& error) {
    CHECK_THAT(error.what(), ContainsSubstring("without \"device_graphs\""));
  }
}

/// A run of 6 outer steps in the folder "whole", and in "half" the same as it
/// was after 3.
void make_half_a_run(const TemporaryFolder& folder, bool replays = false) {
  Json config = shortened(
      shipped_config(NESTGRAD_SOURCE_DIR "/configs/quickstart.json"), 6);
  config["device"] = "privateuseone";
  config["plugins"] = {NESTGRAD_FAKE_DEVICE};
  config["device_graphs"] = replays;
  config["record"]["checkpoint"] = {{"steps", 1}, {"keep", 100}};
  folder.write("a.json", config.dump());
  REQUIRE(program(folder.path(""), "run a.json --quiet --out whole").code == 0);
  std::filesystem::copy(folder.path("whole"), folder.path("half"),
                        std::filesystem::copy_options::recursive);
  for (const std::string& name : names_in(folder.path("half/checkpoints"))) {
    if (std::stoi(name.substr(11)) > 3) {
      std::filesystem::remove(folder.path("half/checkpoints/" + name));
    }
  }
  std::filesystem::remove(folder.path("half/summary.json"));
}

}  // namespace

TEST_CASE("a device that is not here is told with those that are",
          "[experiment][device]") {
  CHECK(device_named("cpu") == at::Device(at::kCPU));
  CHECK(device_named("privateuseone:0") == device_named("privateuseone"));
  for (const char* name :
       {"privateuseone:1", "meta", "gpu", "", "cpu:1", "xpu"}) {
    CAPTURE(name);
    CHECK_THROWS_WITH(
        device_named(name),
        ContainsSubstring("the devices here are: cpu, privateuseone"));
  }
}

TEST_CASE("the device of the tests refuses what a GPU refuses, and counts",
          "[device]") {
  const at::Device there = device_named("privateuseone");
  const Tensor a = at::ones({3}).to(there),
               rows = at::tensor({0, 2}, at::kLong);
  CHECK_THROWS(a + at::ones({3}));
  CHECK_THROWS(at::cat({a, at::ones({3})}));
  CHECK_THROWS(a.index_select(0, rows));
  CHECK_THROWS(at::conv1d(a.view({1, 1, 3}), at::ones({1, 1, 2})));
  // A number from the CPU travels with the command.
  const std::int64_t before = fake_device::transfers().to_host;
  const Tensor sum = (a + at::scalar_tensor(2)).index_select(0, rows.to(there));
  CHECK(sum.device() == there);
  CHECK(fake_device::transfers().to_host == before);
  CHECK(sum.sum().item<double>() == 6);
  CHECK(at::equal(sum.to(at::kCPU), at::full({2}, 3.)));
  CHECK(fake_device::transfers().to_host == before + 2);
}

TEST_CASE("every shipped configuration computes the same on another device",
          "[experiment][device][replay]") {
  int few = 0, replayed = 0;
  for (const std::string& path : shipped_configs()) {
    CAPTURE(path);
    Json config = shortened(shipped_config(path), 3);
    config["precision"] = "float64";
    // In cold start the same window again and again.
    config["estimator"]["starts"] = 1;
    const Course here(config, "cpu"), there(config, "privateuseone");
    check_same(there, here, 1e-6);
    if (reads_often(config)) {
      check_recorded_or_refused(config, there);
      continue;
    }
    // What waits for the device, per outer step: two transfers at most, for
    // windows of any length and up to 32 products of a solver.
    for (const std::int64_t n : there.transfers) CHECK(n <= 2);
    ++few;

    config["device_graphs"] = true;
    const std::int64_t before = fake_device::replays();
    const Course again(config, "privateuseone");
    check_same(again, there, 1e-12);
    for (const std::int64_t n : again.transfers) CHECK(n <= 2);
    if (fake_device::replays() > before) ++replayed;
  }
  CHECK(few > 30);
  CHECK(replayed > 20);
}

// For a GPU; see NESTGRAD_TEST_DEVICE. Numbers differ by rounding.
TEST_CASE("every shipped configuration computes the same on the device named",
          "[.elsewhere]") {
  const std::string device = judging_device().str();
  REQUIRE(device != "cpu");
  for (const std::string& path : shipped_configs()) {
    CAPTURE(path);
    Json config = shortened(shipped_config(path), 3);
    config["precision"] = "float64";
    config["estimator"]["starts"] = 1;
    try {
      const Course here(config, "cpu"), there(config, device);
      check_same(there, here, 1e-6);
      config["device_graphs"] = true;
      if (!reads_often(config)) check_same(Course(config, device), here, 1e-6);
    } catch (const std::exception& error) {
      FAIL_CHECK(error.what());
    }
  }
}

TEST_CASE("windows from several starts are replayed each as it is, and counted",
          "[experiment][device][replay]") {
  for (const char* name :
       {"ridge_pes", "fashion_mnist_many_es_single", "distill_cold",
        "fashion_mnist_lr_schedule_unrolled"}) {
    CAPTURE(name);
    Json config = replayable(name, 9);
    Json& estimator = config["estimator"];
    estimator["starts"] = 2;
    if (estimator["horizon"] > estimator["window"]) estimator["horizon"] = 4;
    CHECK(replays_without_a_difference(config) >= 5);
  }
}

TEST_CASE("what has constants in its layers and rules is replayed",
          "[experiment][device][replay]") {
  Json config = replayable("fashion_mnist_lr_schedule_unrolled", 5);
  config["problem"]["model"] = {{"type", "sequential"},
                                {"layers",
                                 {{{"type", "contrast"}, {"strength", 0.2}},
                                  "flatten",
                                  {{"type", "dropout"}, {"rate", 0.1}},
                                  {{"type", "linear"}, {"out", 10}}}}};
  const Json rule = config["inner"];
  config["inner"] = {{"type", "clipped"}, {"max_norm", 0.1}, {"rule", rule}};
  CHECK(replays_without_a_difference(config) > 0);
}

TEST_CASE(
    "f2sa, whose penalty is a number of the host, is the same with replays",
    "[experiment][device][replay]") {
  Json config = replayable("fashion_mnist_data_cleaning_f2sa", 6);
  config["estimator"]["horizon"] = config["estimator"]["window"];
  replays_without_a_difference(config);
}

TEST_CASE("the number of transfers does not grow with the length of windows",
          "[experiment][device]") {
  for (const char* name : {"quickstart", "fashion_mnist_lr_schedule_unrolled",
                           "fashion_mnist_dropout_stn", "ridge_pes"}) {
    CAPTURE(name);
    Json config = shortened(shipped_config(
        fmt::format("{}/configs/{}.json", NESTGRAD_SOURCE_DIR, name)));
    Json& estimator = config["estimator"];
    estimator["horizon"] = 4 * estimator["horizon"].get<int>();
    estimator["window"] = 8;
    if (estimator.contains("solver")) estimator["solver"]["terms"] = 30;
    const Course course(config, "privateuseone");
    REQUIRE(course.transfers.size() == 1);
    CHECK(course.transfers.front() <= 2);
  }
}

TEST_CASE("the number of transfers does not grow with the products of a solver",
          "[experiment][device]") {
  for (const char* solver :
       {"conjugate_gradient", "minres", "gmres", "neumann"}) {
    CAPTURE(solver);
    Json config = shortened(
        shipped_config(NESTGRAD_SOURCE_DIR "/configs/quickstart.json"), 3);
    config["estimator"]["solver"] = {{"type", solver}};
    const char* const limit =
        solver == std::string("neumann") ? "terms" : "iterations";
    for (const int products : {4, 20}) {
      config["estimator"]["solver"][limit] = products;
      const Course course(config, "privateuseone");
      REQUIRE(course.transfers.size() == 2);
      CHECK(course.transfers.front() <= 2);
    }
  }
}

TEST_CASE("numbers that wait on a device are read together",
          "[experiment][device]") {
  const at::Device there = device_named("privateuseone");
  const auto number = [&](double x) {
    return Number(at::scalar_tensor(x, at::kDouble).to(there));
  };
  const Number a = number(1), b = number(2), copy = a, here = 3;
  { const Number forgotten = number(4); }
  const std::int64_t before = fake_device::transfers().to_host;
  CHECK(a + b + copy + here == 7);
  CHECK(fake_device::transfers().to_host == before + 1);
  CHECK_FALSE(copy.waiting().defined());

  const Number c = number(5);
  const ParameterSet set{{"x", at::ones({2, 3}).to(there)},
                         {"y", at::zeros({2}, at::kDouble)}};
  const ParameterSet read = Number::read_with(set);
  CHECK(fake_device::transfers().to_host == before + 2);
  CHECK(c == 5);
  CHECK(fake_device::transfers().to_host == before + 2);
  CHECK(read.at("x").is_cpu());
  CHECK(at::equal(read.at("x"), at::ones({2, 3})));
  CHECK(at::equal(read.at("y"), set.at("y")));
}

TEST_CASE("a run on another device is killed and resumed with the same files",
          "[experiment][device][resume]") {
  const bool replays = GENERATE(false, true);
  const TemporaryFolder folder;
  make_half_a_run(folder, replays);
  const Ended resumed = program(folder.path(""), "resume half --quiet");
  CAPTURE(resumed.output);
  REQUIRE(resumed.code == 0);
  for (const char* name :
       {"hyperparameters.safetensors", "weights.safetensors"}) {
    CHECK(read_file(folder.path(fmt::format("half/{}", name))) ==
          read_file(folder.path(fmt::format("whole/{}", name))));
  }
}

TEST_CASE("memory of a device that is used up is told, and the run goes on",
          "[experiment][device][resume]") {
  const TemporaryFolder folder;
  make_half_a_run(folder);
  const auto limited = [&](const std::string& mebibytes) {
    const Ended ended = program(folder.path(""), "resume half --quiet",
                                "FAKE_DEVICE_MIB=" + mebibytes);
    CAPTURE(ended.output);
    return ended;
  };
  const Ended stopped = limited("1");
  CHECK(stopped.code == 5);
  CHECK_THAT(stopped.output,
             ContainsSubstring("out of memory of the device: ") &&
                 ContainsSubstring("KiB more could not be had") &&
                 ContainsSubstring("lowers it"));
  CHECK(limited("1000").code == 0);
  CHECK(read_file(folder.path("half/weights.safetensors")) ==
        read_file(folder.path("whole/weights.safetensors")));
}

TEST_CASE("a device other than the CPU is asked for deterministic algorithms",
          "[device]") {
  const at::Context& context = at::globalContext();
  prepare_device(at::kCPU);
  CHECK_FALSE(context.deterministicAlgorithms());
  Json config = shortened(
      shipped_config(NESTGRAD_SOURCE_DIR "/configs/ridge_ift.json"), 1);
  config["device"] = "privateuseone";
  const Experiment experiment(Config(complete(experiment_schema(), config)));
  CHECK(context.deterministicAlgorithms());
  CHECK(context.deterministicCuDNN());
  at::Context::alertNotDeterministic("test_scatter");
  const std::vector<std::string> told = warnings();
  CHECK(std::count_if(told.begin(), told.end(), [](const std::string& text) {
          return text.find("no deterministic algorithm for test_scatter") !=
                 std::string::npos;
        }) == 1);
  prepare_device(at::kCPU);
}

TEST_CASE("hypergradients are checked and compared on another device",
          "[experiment][device]") {
  const TemporaryFolder folder;
  const std::string options =
      " --plugin '" NESTGRAD_FAKE_DEVICE "' --set device=privateuseone";
  const std::string config = NESTGRAD_SOURCE_DIR "/configs/ridge_ift.json";
  for (const std::string& command :
       {"check '" + config + "'",
        "check '" + config + "' --set device_graphs=true",
        "compare '" + config +
            "' --estimators '" NESTGRAD_SOURCE_DIR
            "/configs/estimators/implicit.json'"}) {
    const Ended ended = program(folder.path(""), command + options);
    CAPTURE(command, ended.output);
    CHECK(ended.code == 0);
  }
}

}  // namespace nestgrad