#include "experiments/attribute/attribute.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>

#include "core/config/alternatives.h"
#include "core/platform/files.h"
#include "core/platform/memory_meter.h"
#include "core/platform/stopwatch.h"
#include "core/storage/snapshot_file.h"
#include "experiments/attribute/attribution_results.h"
#include "experiments/record/json_lines.h"
#include "experiments/record/run_folder.h"
#include "experiments/setup/experiment.h"
#include "experiments/setup/plugin.h"
#include "experiments/setup/process.h"
#include "hypergrad/attribution.h"

namespace nestgrad {
namespace {

constexpr const char* kAttributeSettings = "attribute.json";
constexpr const char* kSaved = "attribution.checkpoint";
constexpr const char* kNetworks = "verification.jsonl";

/// The section of the estimator that makes the approximation.
Json method_section(const Json& config, const std::string& method) {
  const Json& own = config.at("estimator");
  if (method.empty() || own.at("type") == method) return own;
  return complete(EstimatorRegistry::instance(), {{"type", method}});
}

/// The configuration with constant hyperparameters and weights of examples in
/// their place.
Json with_example_weights(Json config, const std::string& name) {
  for (auto& entry : config["hyperparameters"].items()) {
    entry.value()["tuned"] = false;
  }
  config["hyperparameters"][name] = {
      {"initial", 1}, {"per", "example"}, {"coordinates", "real"}};
  return config;
}

/// What is attributed, ready to begin.
class Attributed {
 public:
  explicit Attributed(const Json& settings)
      : experiment_(experiment_config(
            settings.at("config"),
            settings.at("paths_from").get<std::vector<std::string>>())),
        estimator_(experiment_.make_estimator(Config(settings.at("method")))),
        targets_(
            read_targets(settings.at("targets").get<std::vector<std::string>>(),
                         experiment_.problem())),
        steps_(settings.at("steps").get<std::int64_t>()) {}

  std::unique_ptr<AttributionPass> pass(std::int64_t steps) const {
    return estimator_->attribute(task(steps));
  }

  /// The losses of the targets after training without some examples.
  std::vector<double> losses(const ParameterSet& hyper) const {
    const AttributionTask task = this->task(steps_);
    const TrainState state = experiment_.retrained(hyper, steps_);
    const at::NoGradGuard no_tape;
    std::vector<double> out;
    for (std::size_t j = 0; j < targets_.size(); ++j) {
      out.push_back(
          at_end(task, experiment_.own_loop(), j, state, hyper).item<double>());
    }
    return out;
  }

  const Experiment& experiment() const { return experiment_; }
  const std::vector<AttributionTarget>& targets() const { return targets_; }
  std::int64_t steps() const { return steps_; }

 private:
  AttributionTask task(std::int64_t steps) const {
    AttributionTask out{
        experiment_.initial_hyper(), experiment_.retraining_key(), steps, {}};
    for (const AttributionTarget& target : targets_) {
      out.functions.push_back(target.function(experiment_.problem()));
    }
    return out;
  }

  Experiment experiment_;
  std::unique_ptr<HypergradientEstimator> estimator_;
  std::vector<AttributionTarget> targets_;
  std::int64_t steps_;
};

/// Seconds and bytes of a pass, from two short ones. Whatever the steps on the
/// tape and the kept states do not take is the same in all passes.
std::string cost(const Attributed& what, std::int64_t networks) {
  struct Measured {
    double seconds = 0, bytes = 0;
    Footprint footprint;
  };
  const auto measured = [&](std::int64_t steps) {
    const MemoryMeter memory;
    const Stopwatch watch;
    const auto pass = what.pass(steps);
    while (pass->advance()) {
    }
    return Measured{watch.seconds(), static_cast<double>(memory.peak()),
                    pass->footprint()};
  };
  double state = 0;
  const Experiment& experiment = what.experiment();
  for (const Tensor& t : experiment.own_loop()
                             .start(experiment.initial_hyper(), Key())
                             .detach()
                             .joined()
                             .tensors()) {
    state += static_cast<double>(t.nbytes());
  }
  const std::int64_t steps = what.steps();
  const Measured a = measured(std::min<std::int64_t>(16, steps));
  const Measured b = measured(std::min<std::int64_t>(64, steps));
  const Footprint all = what.pass(steps)->footprint();
  const auto slope = [](double rise, std::int64_t run) {
    return run == 0 ? 0 : std::max(0.0, rise / static_cast<double>(run));
  };
  const std::int64_t states = b.footprint.states - a.footprint.states;
  const double taped =
      slope(b.bytes - a.bytes - state * static_cast<double>(states),
            b.footprint.on_tape - a.footprint.on_tape);
  const double bytes =
      b.bytes + state * static_cast<double>(all.states - b.footprint.states) +
      taped * static_cast<double>(all.on_tape - b.footprint.on_tape);
  const double per_step =
      slope(b.seconds - a.seconds, b.footprint.steps - a.footprint.steps);
  const double seconds =
      b.seconds + per_step * static_cast<double>(all.steps - b.footprint.steps);
  const Stopwatch watch;
  std::string out = fmt::format(
      "about {:.4g} MiB of tensors besides the data, {} for the derivatives",
      bytes / (1024 * 1024), duration(seconds));
  if (networks > 0) {
    const std::int64_t tried = std::min<std::int64_t>(32, steps);
    experiment.retrained(experiment.initial_hyper(), tried);
    out += fmt::format(
        ", {} for {} networks",
        duration(watch.seconds() * static_cast<double>(steps) /
                 static_cast<double>(tried) * static_cast<double>(networks)),
        networks);
  }
  return out;
}

class Attribution {
 public:
  Attribution(RunFolder folder, Json settings, Talk talk,
              std::unique_ptr<const Attributed> what)
      : folder_(std::move(folder)),
        settings_(std::move(settings)),
        console_(talk),
        what_(std::move(what)),
        networks_(folder_.file(kNetworks)) {
    networks_.keep();
  }

  int go() {
    console_.say(fmt::format(
        "{}: {} targets, {} training examples, {} training steps",
        folder_.path(), what_->targets().size(), numbers(), what_->steps()));
    if (!differentiate()) return stopped();
    const std::int64_t networks = settings_.at("verify");
    if (!train_networks(networks)) return stopped();
    AttributionResults results{
        settings_.at("method").at("type").get<std::string>(),
        what_->steps(),
        what_->targets(),
        pass_->values(),
        influence(),
        what_->experiment().problem().examples("train", Tensor())};
    results.examples.inputs = results.examples.inputs.to(at::kCPU);
    if (networks > 0) {
      results.networks = networks;
      results.share = settings_.at("share");
      results.score = score(results);
    }
    results.write(folder_.path(), what_->experiment().problem());
    remove_file(folder_.file(kSaved));
    console_.say(results.text());
    console_.conclude(fmt::format("Results are in {}", folder_.path()));
    console_.event("end", {{"code", 0}, {"folder", folder_.path()}});
    return kExitDone;
  }

 private:
  int stopped() {
    console_.warn(
        fmt::format("stopped; 'nestgrad resume {}' continues", folder_.path()));
    return 128 + noted_signal();
  }

  std::int64_t numbers() const {
    return what_->experiment().initial_hyper().numel();
  }

  /// Returns false if a signal has come.
  bool differentiate() {
    pass_ = what_->pass(what_->steps());
    const std::string saved = folder_.file(kSaved);
    if (file_exists(saved)) restore(*pass_, load_snapshot(saved).snapshot);
    Stopwatch since;
    int told = static_cast<int>(10 * pass_->done());
    constexpr double kSeconds = 60;
    while (pass_->advance()) {
      const int tenths = static_cast<int>(10 * pass_->done());
      if (tenths > told) tell(tenths);
      told = tenths;
      const bool stops = noted_signal() != 0;
      if (stops || since.seconds() > kSeconds || take_checkpoint_request()) {
        save_snapshot(saved, save(*pass_, Tensors::kShared), Json::object());
        since = Stopwatch();
      }
      if (stops) return false;
    }
    save_snapshot(saved, save(*pass_, Tensors::kShared), Json::object());
    return true;
  }

  void tell(int tenths) {
    console_.say(fmt::format("derivatives: {} % done", 10 * tenths));
    console_.event("derivatives", {{"done", tenths / 10.0}});
  }

  /// float64 [targets, examples], on the CPU.
  Tensor influence() const {
    std::vector<Tensor> rows;
    for (const ParameterSet& gradient : pass_->gradients()) {
      rows.push_back(gradient.flatten().to(at::kCPU, at::kDouble));
    }
    return at::stack(rows);
  }

  /// Which examples network number k goes without: 1 for these, else 0.
  Tensor left_out(std::int64_t k) const {
    const std::int64_t n = numbers();
    const double share = settings_.at("share");
    const auto count =
        std::max<std::int64_t>(1, std::llround(share * static_cast<double>(n)));
    const Tensor which = key()
                             .fold(static_cast<std::uint64_t>(k))
                             .permutation(n)
                             .slice(0, 0, count);
    return at::zeros({n}, at::kDouble).index_fill_(0, which, 1);
  }

  Key key() const {
    const auto seed = settings_.at("config").at("seed").get<std::uint64_t>();
    return Key(seed).fold("attribution");
  }

  /// Returns false if a signal has come.
  bool train_networks(std::int64_t count) {
    const ParameterSet all = what_->experiment().initial_hyper();
    auto k = static_cast<std::int64_t>(networks_.lines().size());
    for (; k < count; ++k) {
      if (noted_signal() != 0) return false;
      const ParameterSet hyper = all.map([&](const Tensor& ones) {
        return ones - left_out(k).to(ones.options()).view(ones.sizes());
      });
      networks_.append({{"network", k}, {"losses", what_->losses(hyper)}});
      if ((k + 1) % std::max<std::int64_t>(1, count / 10) == 0) {
        console_.say(fmt::format("{} of {} networks without some examples",
                                 k + 1, count));
        console_.event("network", {{"networks", k + 1}, {"of", count}});
      }
    }
    networks_.flush();
    return true;
  }

  /// Of predicted and true losses of the networks.
  Estimated score(const AttributionResults& results) const {
    std::vector<Tensor> predicted, truth;
    const std::vector<Json> lines = networks_.lines();
    const Tensor losses = at::tensor(results.losses, at::kDouble);
    for (std::int64_t k = 0; k < results.networks; ++k) {
      predicted.push_back(losses - at::mv(results.influence, left_out(k)));
      const Json& line = lines[static_cast<std::size_t>(k)];
      std::vector<double> values;
      for (const Json& loss : line.at("losses")) {
        values.push_back(loss.is_number() ? loss.get<double>() : INFINITY);
      }
      truth.push_back(at::tensor(values, at::kDouble));
    }
    return linear_datamodelling_score(at::stack(predicted), at::stack(truth),
                                      key().fold("bootstrap"));
  }

  RunFolder folder_;
  Json settings_;
  Console console_;
  std::unique_ptr<const Attributed> what_;
  std::unique_ptr<AttributionPass> pass_;
  JsonLines networks_;
};

/// The estimators that can make an attribution for this experiment, as they are
/// by default.
std::vector<std::string> able(const Experiment& experiment) {
  const AttributionTask task{experiment.initial_hyper(), Key(), 1, {}};
  return names_where(
      EstimatorRegistry::instance(),
      [&](const HypergradientEstimator& estimator) {
        return estimator.attribute(task) != nullptr;
      },
      experiment.loop());
}

/// attribute.json. Throws Error for what cannot be attributed.
Json settings_of(const JsonFile& file, const AttributeOptions& options) {
  Config config = experiment_config(file);
  prepare_process(config.integer("threads"));
  Json settings = {{"config", with_loaded_plugins(config.json())},
                   {"paths_from", file.folders()},
                   {"method", method_section(config.json(), options.method)},
                   {"targets", Json::array()},
                   {"verify", options.verify},
                   {"share", options.share}};
  const Experiment original(config);
  const std::string weight = original.problem().example_weight();
  require(!weight.empty(),
          "this problem has no weights of training examples, to which a loss "
          "could be attributed");
  settings["steps"] =
      options.steps > 0 ? options.steps : original.retraining_steps();
  require(settings["steps"] > 0,
          "\"record.retrain\" is 0, so --steps has to say how long training "
          "is");
  for (const AttributionTarget& target :
       read_targets(options.targets, original.problem())) {
    settings["targets"].push_back(target.name);
  }
  settings["config"] = with_example_weights(settings["config"], weight);
  return settings;
}

}  // namespace

int attribute(const JsonFile& config, const AttributeOptions& options) {
  require(options.verify == 0 || options.verify >= 3,
          "--verify needs at least 3 networks for a correlation");
  const Json settings = settings_of(config, options);
  auto what = std::make_unique<const Attributed>(settings);
  require(what->pass(1) != nullptr,
          "the estimator \"{}\", as configured, cannot attribute losses to "
          "examples; take --method {}",
          settings["method"]["type"].get<std::string>(),
          in_words(able(what->experiment())));
  Console console(options.talk);
  if (options.only_plan || console.talks()) {
    console.say(cost(*what, options.verify));
    if (options.only_plan) return kExitDone;
  }
  const std::string name = std::filesystem::path(config.name()).stem().string();
  RunFolder folder = options.folder.empty()
                         ? RunFolder::create_next(name + "-attribute")
                         : RunFolder::create(options.folder);
  folder.write(kAttributeSettings, settings);
  note_signals();
  return Attribution(std::move(folder), settings, options.talk, std::move(what))
      .go();
}

bool is_attribution(const std::string& folder) {
  return file_exists(folder + "/" + kAttributeSettings);
}

int resume_attribution(const std::string& path, const Talk& talk) {
  RunFolder folder = RunFolder::open(path, kAttributeSettings);
  return as_written(path, [&] {
    const Json settings =
        Json::parse(read_file(folder.file(kAttributeSettings)));
    prepare_process(settings.at("config").at("threads"));
    note_signals();
    return Attribution(std::move(folder), settings, talk,
                       std::make_unique<const Attributed>(settings))
        .go();
  });
}

}  // namespace nestgrad
