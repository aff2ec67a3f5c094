#include "experiments/sweep/sweep_plan.h"

#include <algorithm>

#include "experiments/run/ranks.h"
#include "experiments/setup/experiment.h"

namespace nestgrad {
namespace {

constexpr std::size_t kMostRuns = 100000;

Schema halving_schema() {
  return Schema(
             "Successive halving (Jamieson and Talwalkar, 2016): all trials "
             "make a few outer steps, then only the best continue.")
      .integer("first", 0,
               "Outer steps after which the first trials are given up. 0: no "
               "trial is given up.",
               at_least(0))
      .integer("factor", 3,
               "One of this many trials continues, for this many times as many "
               "steps.",
               from_to(2, 1000));
}

Schema random_search_schema() {
  return Schema(
             "Random search within the same time, as the baseline for the best "
             "trial. Its trials are runs of the same configuration with other "
             "values, usually with constant hyperparameters.")
      .integer("trials", 0,
               "Largest number of trials. Only those count that fit into the "
               "seconds of the best trial. 0: no random search.",
               from_to(0, 100000))
      .json("set", Json::object(),
            "Values that replace those of the configuration, by dotted key.")
      .map("vary", Dimension::schema(), Json::object(),
           "The values to draw from, by dotted key.");
}

/// Throws ConfigError for a key that the sweep itself sets in every run.
void refuse_own_keys(const Config& vary, const std::string& key) {
  const auto is = [&](const std::string& own) {
    return key == own || key.rfind(own + ".", 0) == 0;
  };
  if (is("seed")) {
    vary.fail(key,
              "cannot be varied, since the best of several seeds is chance; "
              "\"seeds\": 3 runs every trial with three seeds and compares "
              "means");
  }
  if (is("record.folder") || key == "record") {
    vary.fail(key,
              "cannot be varied: the folder of the sweep has a folder for "
              "every run");
  }
}

std::vector<Dimension> dimensions_of(const Config& section) {
  std::vector<Dimension> out;
  const Config vary = section.object("vary");
  for (const auto& entry : vary.json().items()) {
    refuse_own_keys(vary, entry.key());
    out.emplace_back(entry.key(), vary.object(entry.key()));
  }
  return out;
}

/// The configuration in a sweep's file.
JsonFile base_of(const Config& sweep) {
  JsonFile base =
      JsonFile::parse(sweep.value("config").dump(), "the configuration");
  base.see_from(sweep.texts("paths_from"));
  return base;
}

JsonFile with_values(JsonFile base, const Config& section) {
  const Json& set = section.value("set");
  if (!set.is_object()) section.fail("set", "must be an object");
  for (const auto& [key, value] : set.items()) {
    base.set(key + "=" + value.dump());
  }
  return base;
}

/// Throws Error if the configuration of a trial has a mistake.
void check_config(const JsonFile& config, const Assignment& values) {
  try {
    experiment_config(config);
  } catch (const ConfigError& error) {
    std::string what;
    for (const Complaint& c : error.complaints()) {
      what += fmt::format("\n  {}: {}", c.where, c.what);
    }
    throw Error(fmt::format("the configuration with {} is wrong:{}",
                            describe(values), what));
  }
}

}  // namespace

Schema sweep_schema() {
  return Schema(
             "A sweep: runs of one configuration with different values and "
             "seeds, each in its own process.")
      .json("config", kRequired,
            "The configuration: the path of its file, relative to this one, or "
            "the configuration itself.")
      .json("set", Json::object(),
            "Values that replace those of the configuration, by dotted key.")
      .map("vary", Dimension::schema(), Json::object(),
           "The varied keys, dotted, and their values.")
      .object("search", SearchRegistry::instance(), "grid",
              "Which combinations of values are tried.")
      .integer("seeds", 1,
               "Number of runs per trial: with the configuration's seed and "
               "the seeds that follow it.",
               from_to(1, 1000))
      .integer("workers", 1, "Number of concurrent processes.",
               from_to(1, 1000))
      .integer("threads", 0,
               "Threads of each process. 0: as in the configuration or, if it "
               "does not say, the process's share of the cores.",
               at_least(0))
      .integer("retries", 1,
               "How often a run that failed without a message is tried again. "
               "A run that diverged is not.",
               at_least(0))
      .text(
          "metric", "valid_loss",
          "The metric by which trials are compared: of the weights trained "
          "from scratch under the found hyperparameters or, if there are "
          "none, of the tuned weights. Larger accuracies, recalls, F1, R2 and "
          "ROC AUC are better; of all other metrics, smaller values.")
      .texts("paths_from", Json::array(),
             "Folders in which relative paths of the configuration are looked "
             "for, one after another. Default: the folder in which the sweep "
             "begins, then that of the configuration.")
      .section("halving", halving_schema(), Json::object(),
               "Whether bad trials are given up early.")
      .section("random_search", random_search_schema(), Json::object(),
               "The random search for comparison.");
}

JsonFile Arm::config(std::size_t trial, std::int64_t seed) const {
  JsonFile out = base;
  for (const auto& [key, value] : trials[trial]) {
    out.set(key + "=" + value.dump());
  }
  out.set(fmt::format("seed={}", seed));
  return out;
}

std::string Arm::name(std::size_t trial) const {
  return fmt::format("{}-{:04}", prefix, trial + 1);
}

SweepRun Arm::run(std::size_t trial, std::int64_t seed) const {
  return {fmt::format("{}-seed-{}", name(trial), seed), trial, seed};
}

SweepPlan::SweepPlan(const Config& sweep)
    : main_{with_values(base_of(sweep), sweep),
            dimensions_of(sweep),
            {},
            "trial"},
      metric_(sweep.text("metric")),
      retries_(sweep.integer("retries")),
      workers_(static_cast<int>(sweep.integer("workers"))),
      factor_(
          static_cast<std::size_t>(sweep.object("halving").integer("factor"))) {
  const Json config = experiment_config(main_.base).json();
  const auto seed = config["seed"].get<std::int64_t>();
  for (std::int64_t i = 0; i < sweep.integer("seeds"); ++i) {
    seeds_.push_back(seed + i);
  }
  const Key key = Key(static_cast<std::uint64_t>(seed)).fold("sweep");
  main_.trials = SearchRegistry::instance()
                     .make(sweep.object("search"))
                     ->trials(main_.dimensions, key);
  // Concurrent processes that each use all cores would be slow.
  const std::int64_t given = sweep.integer("threads");
  if (given > 0 || !main_.base.json().contains("threads")) {
    const std::int64_t share =
        std::max<std::int64_t>(1, own_threads(0) / workers_);
    main_.base.set(fmt::format("threads={}", given > 0 ? given : share));
  }
  const Config search = sweep.object("random_search");
  if (const std::int64_t trials = search.integer("trials"); trials > 0) {
    const auto random = SearchRegistry::instance().make(
        Json{{"type", "random"}, {"trials", trials}});
    for (const std::int64_t s : seeds_) {
      Arm arm{
          with_values(main_.base, search), dimensions_of(search), {}, "random"};
      arm.trials = random->trials(
          arm.dimensions,
          key.fold("random").fold(static_cast<std::uint64_t>(s)));
      random_.push_back(std::move(arm));
    }
  }
  const auto all = config["outer"]["steps"].get<std::int64_t>();
  const auto factor = static_cast<std::int64_t>(factor_);
  // The ends of rungs: first, first * factor, ..., and the last one is all.
  const std::int64_t first = sweep.object("halving").integer("first");
  for (std::int64_t rung = first; rung > 0 && rung < all; rung *= factor) {
    rungs_.push_back(rung);
    if (rung > all / factor) break;  // the next one could overflow
  }
  rungs_.push_back(all);
  retrain_ = config["record"]["retrain"];
}

void SweepPlan::check() const {
  std::size_t runs = 0;
  const auto check_arm = [&](const Arm& arm, std::size_t seeds) {
    runs += arm.trials.size() * seeds;
    require(runs <= kMostRuns, "these are more than {} runs", kMostRuns);
    for (std::size_t i = 0; i < arm.trials.size(); ++i) {
      check_config(arm.config(i, seeds_.front()), arm.trials[i]);
    }
  };
  check_arm(main_, seeds_.size());
  for (const Arm& arm : random_) check_arm(arm, 1);
  for (const Dimension& d : main_.dimensions) {
    require(rungs_.size() == 1 ||
                (d.key() != "outer.steps" && d.key() != "record.retrain"),
            "halving sets {0}, so a sweep with halving cannot vary it",
            d.key());
  }
}

std::vector<std::string> SweepPlan::at_rung(std::size_t rung) const {
  if (rungs_.size() == 1) return {};
  const bool last = rung + 1 == rungs_.size();
  return {"--set", fmt::format("outer.steps={}", rungs_[rung]), "--set",
          "record.retrain=" + (last ? retrain_.dump() : std::string("0"))};
}

}  // namespace nestgrad
