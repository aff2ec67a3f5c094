#include "experiments/setup/experiment.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "core/config/alternatives.h"
#include "core/parallel/data_parallel.h"
#include "core/platform/warnings.h"
#include "core/tensor/device.h"
#include "experiments/setup/movable.h"
#include "experiments/setup/plain_training.h"
#include "experiments/setup/plugin.h"
#include "experiments/setup/precision.h"
#include "hypergrad/averaged.h"
#include "hypergrad/pool.h"

namespace nestgrad {
namespace {

at::TensorOptions options_of(const Config& config) {
  return at::TensorOptions()
      .dtype(number_type(config))
      .device(device_named(config.text("device")));
}

/// Runs `build` and, if it throws, keeps the complaints for later.
template <class Build>
void attempt(std::vector<Complaint>& complaints, const std::string& pointer,
             Build&& build) {
  try {
    build();
  } catch (const ConfigError& error) {
    complaints.insert(complaints.end(), error.complaints().begin(),
                      error.complaints().end());
  } catch (const Error& error) {
    complaints.push_back({pointer, error.what()});
  }
}

/// `section`: "distributed".
OuterRule outer_rule_of(const Config& section,
                        std::shared_ptr<const Optimizer> rule,
                        const std::shared_ptr<World>& world) {
  try {
    return {std::move(rule), section.boolean("divide_outer") ? world : alone()};
  } catch (const Error& error) {
    section.fail("divide_outer", error.what());
  }
}

/// As many steps as tuning makes in one run of inner training.
std::int64_t steps_of_tuning(const Truncation& cut, std::int64_t warm_up,
                             std::int64_t outer_steps) {
  if (cut.horizon > 0) return cut.horizon;
  return cut.window *
         (warm_up + (outer_steps + cut.outer_steps_per_window - 1) /
                        cut.outer_steps_per_window);
}

/// Throws ConfigError if a rule, that of the section, can move weights only.
void require_for_hyperparameters(const Config& section, const Optimizer& rule) {
  std::vector<Complaint> complaints;
  for (const std::string& name : references(section.json())) {
    complaints.push_back(
        {section.pointer(),
         fmt::format("\"${}\": the rule that moves the hyperparameters "
                     "cannot depend on one",
                     name)});
  }
  if (rule.draws_noise()) {
    complaints.push_back({section.pointer() + "/type",
                          "draws noise, which is for the weights only"});
  }
  if (!complaints.empty()) throw ConfigError(std::move(complaints));
}

}  // namespace

Config experiment_config(const Json& json,
                         const std::vector<std::string>& folders) {
  load_plugins(json, folders);
  Config config(complete(experiment_schema(), with_precision(json)), "",
                folders);
  require_representable_numbers(config);
  return config;
}

Config experiment_config(const JsonFile& file) {
  return experiment_config(file.json(), file.folders());
}

Config with_model(const Config& config, const Config& model) {
  Json json = config.json();
  json["problem"]["model"] = model.json();
  json["distributed"]["shares"] = 0;  // it is only trained, by one rank
  return Config(std::move(json), "", config.folders());
}

std::int64_t final_run_count(const Config& config,
                             const Experiment& experiment) {
  if (experiment.retraining_steps() == 0) return 0;
  const Config record = config.object("record");
  return static_cast<std::int64_t>(2 + record.objects("other_models").size() +
                                   experiment.problem().baselines().size());
}

std::int64_t networks_of_final_runs(const Config& config, std::int64_t runs,
                                    std::int64_t steps,
                                    const TuningWork& work) {
  const Config record = config.object("record");
  if (!record.is_text("networks")) {
    return static_cast<std::int64_t>(record.number("networks"));
  }
  constexpr std::int64_t kSeveral = 3;
  constexpr double kGradientsOfProduct = 3;
  const auto needed = static_cast<double>(runs * steps * kSeveral);
  return needed <= work.gradients + kGradientsOfProduct * work.products
             ? kSeveral
             : 1;
}

Experiment::Experiment(const Config& config, std::shared_ptr<World> world)
    : key_(static_cast<std::uint64_t>(config.integer("seed"))),
      world_(std::move(world)) {
  std::vector<Complaint> complaints;
  at::TensorOptions options;
  std::shared_ptr<const Optimizer> inner, outer;
  std::shared_ptr<ReplayCache> replays;

  attempt(complaints, "/device", [&] {
    options = options_of(config);
    prepare_device(options.device());
  });
  if (complaints.empty() && config.boolean("device_graphs")) {
    attempt(complaints, "/device_graphs",
            [&] { replays = std::make_shared<ReplayCache>(options.device()); });
  }
  if (complaints.empty()) {
    attempt(complaints, "/precision",
            [&] { prepare_precision(config, options.device()); });
  }
  if (complaints.empty()) {
    attempt(complaints, "/problem", [&] {
      natural_problem_ = ProblemRegistry::instance().make(
          config.object("problem"),
          {options, key_.fold("problem"),
           chosen_granularities(config.object("hyperparameters")),
           is_bfloat16(config)});
    });
  }
  attempt(complaints, "/inner", [&] {
    inner = OptimizerRegistry::instance().make(config.object("inner"));
  });
  attempt(complaints, "/outer", [&] {
    const Config section = config.object("outer");
    outer_steps_ = section.integer("steps");
    outer = OptimizerRegistry::instance().make(section);
    require_for_hyperparameters(section, *outer);
  });
  attempt(complaints, "/hyperparameters", [&] {
    if (!natural_problem_) return;
    space_ = read_hyper_space(
        config.object("hyperparameters"), *natural_problem_,
        references(config.object("inner").json()), options, inner.get());
    problem_ = own_problem_ = std::make_shared<Counted>(
        std::make_shared<Reparameterized>(natural_problem_, space_));
  });
  attempt(complaints, "/estimator",
          [&] { build_estimator(config, inner, replays); });
  if (!complaints.empty()) throw ConfigError(std::move(complaints));
  outer_rule_ =
      outer_rule_of(config.object("distributed"), std::move(outer), world_);
  outer_ = std::make_unique<OuterLoop>(*estimator_, *problem_, *outer_rule_,
                                       outer_steps_);
}

void Experiment::build_estimator(const Config& config,
                                 const std::shared_ptr<const Optimizer>& inner,
                                 const std::shared_ptr<ReplayCache>& replays) {
  const Config estimator = config.object("estimator");
  cut_ = Truncation::read(estimator);
  if (!problem_ || !inner) return;
  const bool common = config.object("inner").text("minibatches") == "common";
  const Minibatches minibatches =
      common ? Minibatches::kCommon : Minibatches::kOfRun;
  loop_ = own_loop_ =
      std::make_shared<TrainingLoop>(problem_, inner, minibatches, replays);
  estimator_ = make_estimator(estimator);
  divided_ = choose_divided(config, *world_, *estimator_, *loop_, tunes());
  shares_ = config.object("distributed").integer("shares");
  if (divided_ == Divided::kParticles) {
    loop_ = std::make_shared<TrainingLoop>(problem_, inner, minibatches,
                                           replays, world_);
    own_loop_ = std::make_shared<TrainingLoop>(problem_, inner, minibatches);
  }
  if (divided_ == Divided::kExamples) {
    problem_ = with_divided_examples(config);
    loop_ = std::make_shared<TrainingLoop>(problem_, inner, minibatches);
  }
  if (divided_ != Divided::kNothing) estimator_ = make_estimator(estimator);
  if (!tunes()) return;
  const Config record = config.object("record");
  const std::int64_t steps =
      steps_of_tuning(cut_, estimator_->warm_up(), outer_steps_);
  const double networks =
      record.is_text("networks") ? 1 : record.number("networks");
  if (networks != std::floor(networks)) {
    record.fail("networks", "must be a whole number or \"auto\"");
  }
  retraining_steps_.reset();
  if (!record.is_text("retrain")) {
    retraining_steps_ = static_cast<std::int64_t>(record.number("retrain"));
  }
  if (record.boolean("fresh") &&
      (retraining_steps() == 0 || record.has("retrain_seconds"))) {
    record.fail("fresh",
                "needs final runs without a budget: \"retrain\" must not be 0, "
                "and \"retrain_seconds\" left out");
  }
  require_derivatives(config.object("hyperparameters"), estimator);
  if (rounds_networks(config) && estimator_->takes_differences()) {
    config.fail("precision",
                fmt::format("\"{}\" rounds networks more than the estimator "
                            "\"{}\", which subtracts losses or gradients of "
                            "neighbouring points, can see; take \"float32\"",
                            config.text("precision"), estimator.type()));
  }
  require_movable(config, estimator, *estimator_, *own_loop_);
  warn_of_unused_steps(config, steps);
}

std::shared_ptr<Counted> Experiment::with_divided_examples(
    const Config& config) const {
  if (own_loop_->replays()) {
    config.fail("device_graphs",
                "must be false where minibatches are divided, among ranks or "
                "into \"shares\"");
  }
  std::shared_ptr<const BilevelProblem> divided;
  try {
    divided = std::make_shared<DataParallel>(natural_problem_, world_, shares_);
  } catch (const Error& error) {
    throw ConfigError("/problem", error.what());
  }
  const ParameterSet hyper = initial_hyper();
  const ParameterSet weights = own_loop_->start(hyper, key_).detach().weights;
  if (division_error(*own_problem_, weights, hyper) >
      (rounds_networks(config) ? 0.05 : 1e-3)) {
    throw ConfigError(
        "/problem",
        "minibatches cannot be divided: examples have another gradient in a "
        "part of a minibatch than in the whole. A network of PyTorch that "
        "draws "
        "noise or looks at several examples at once (dropout, batch "
        "normalization) is for one rank, without \"shares\"");
  }
  return std::make_shared<Counted>(
      std::make_shared<Reparameterized>(divided, space_), *own_problem_);
}

std::int64_t Experiment::retraining_steps(std::int64_t outer_steps) const {
  return retraining_steps_
             ? *retraining_steps_
             : steps_of_tuning(cut_, estimator_->warm_up(), outer_steps);
}

std::unique_ptr<HypergradientEstimator> Experiment::make_estimator(
    const Config& section) const {
  if (!tunes()) return std::make_unique<PlainTraining>(section, *loop_);
  const auto make = [&] { return make_with_pool(section, *loop_); };
  if (divided_ != Divided::kStarts) return make();
  return std::make_unique<Averaged>(world_, shares_, make);
}

void Experiment::require_derivatives(const Config& hyperparameters,
                                     const Config& estimator) const {
  const bool first = estimator_->differentiates_training();
  const bool second = estimator_->differentiates_twice();
  /// The names of the estimators that need less.
  const auto others = [&](bool may_differentiate_twice) {
    return in_words(names_where(
        EstimatorRegistry::instance(),
        [&](const HypergradientEstimator& other) {
          return !other.differentiates_training() &&
                 (may_differentiate_twice || !other.differentiates_twice());
        },
        *loop_));
  };
  if ((first || second) && !problem_->abilities().second_derivatives) {
    estimator.fail("type", fmt::format("takes derivatives of training, which "
                                       "here has none; take {}",
                                       others(false)));
  }
  if (second && !problem_->abilities().curved) {
    add_warning(fmt::format(
        "the loss of an example has no curvature (its second derivative is "
        "zero), so the estimator \"{}\", which differentiates training twice, "
        "sees only the curvature of penalties and of the network; a loss with "
        "curvature, such as huber, suits it better",
        estimator.type()));
  }
  if (!first) return;
  std::vector<Complaint> complaints;
  const ParameterSet hyper = problem_->initial_hyper();
  for (const Hyperparameter& h : problem_->hyperparameters()) {
    if (h.differentiable || !hyper.contains(h.name)) continue;
    complaints.push_back(
        {hyperparameters.pointer(h.name),
         fmt::format("the training loss has no derivative by '{}', so the "
                     "estimator \"{}\" cannot tune it; take {}, or make it a "
                     "constant (\"tuned\": false)",
                     h.name, estimator.type(), others(true))});
  }
  if (!complaints.empty()) throw ConfigError(std::move(complaints));
}

OuterResult Experiment::tune(
    const std::vector<std::shared_ptr<Observer>>& observers) {
  for (const auto& observer : observers) outer_->add(observer);
  if (!restored_) outer_->begin(problem_->initial_hyper(), tuning_key());
  return outer_->run();
}

void Experiment::persist(Archive& archive) {
  archive("loop", *outer_);
  archive("counts", *problem_);
  restored_ = restored_ || archive.restoring();
}

std::pair<double, double> Experiment::fingerprint() const {
  const ParameterSet hyper = initial_hyper();
  const Key key = key_.fold("fingerprint");
  const ParameterSet weights = own_loop_->start(hyper, key).detach().weights;
  const Draw draw{0, key};
  const auto value = [](const Tensor& loss) {
    return loss.to(at::kDouble).item<double>();
  };
  const at::NoGradGuard no_tape;
  return {value(own_problem_->train_loss(weights, hyper, draw)),
          value(own_problem_->valid_loss(weights, hyper, draw))};
}

ParameterSet Experiment::hyper_of(const SoftExamples& examples) const {
  const ParameterSet all = natural_problem_->hyper_of(examples);
  ParameterSet out;
  for (const HyperSpec& spec : space_) {
    if (!spec.tuned) continue;
    out.insert(spec.name, spec.coordinates.unconstrained(all.at(spec.name)));
  }
  return out;
}

Metrics Experiment::retrain(const ParameterSet& hyper, std::int64_t steps,
                            std::int64_t network) const {
  TrainState state;
  return *retrain(hyper, steps, network, state, [] { return true; });
}

std::optional<Metrics> Experiment::retrain(
    const ParameterSet& hyper, std::int64_t steps, std::int64_t network,
    TrainState& state, const std::function<bool()>& go_on) const {
  const Key run = retraining_key(network);
  if (state.weights.empty()) state = own_loop_->start(hyper, run).detach();
  while (state.step < steps) {
    state = own_loop_->step(state, hyper, run);
    if (state.step < steps && !go_on()) return {};
  }
  return judge(state, hyper);
}

TrainState Experiment::retrained(const ParameterSet& hyper, std::int64_t steps,
                                 std::int64_t network) const {
  const Key run = retraining_key(network);
  return own_loop_->steps(own_loop_->start(hyper, run).detach(), steps, hyper,
                          run);
}

Metrics Experiment::judge(const TrainState& state,
                          const ParameterSet& hyper) const {
  if (!all_finite(state.weights)) {
    throw NotFinite("the weights are not finite");
  }
  const ParameterSet judged = own_loop_->optimizer()->deployed(state);
  return problem_->evaluate(problem_->deployed(judged, hyper), hyper);
}

Key Experiment::retraining_key(std::int64_t network) const {
  const Key run = key_.fold("retraining");
  return network > 0 ? run.fold(static_cast<std::uint64_t>(network)) : run;
}

}  // namespace nestgrad
