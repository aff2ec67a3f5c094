// How a run goes on from a checkpoint.

#include "experiments/run/restore.h"

#include <algorithm>
#include <cmath>

#include "core/platform/files.h"
#include "core/platform/warnings.h"
#include "experiments/record/json_lines.h"
#include "experiments/run/difference.h"
#include "experiments/run/ranks.h"
#include "experiments/run/run.h"
#include "experiments/setup/process.h"

namespace nestgrad {
namespace {

/// Throws Error if the state of a run cannot belong to the experiment that has
/// just been begun: the sets of tensors that both have must be alike.
void require_alike(const Snapshot& begun, const Snapshot& saved) {
  for (const auto& [path, set] : begun.sets) {
    const auto found = saved.sets.find("experiment/" + path);
    if (set.empty() || found == saved.sets.end()) continue;
    require(alike(set, found->second),
            "the checkpoint does not fit this configuration: tensors of '{}' "
            "have other names or shapes",
            path);
  }
}

/// Throws Error if the checkpoint lacks what `best` goes on from.
void require_best_step(const Snapshot& saved) {
  require(saved.integers.count("best/step") > 0,
          "the checkpoint knows no best step: \"select\" in \"outer\" was "
          "\"last\" when it was written, or it is of an earlier version; --set "
          "outer.select=last goes on");
}

/// The part of a Run's state that all ranks have.
struct Shared {
  Experiment& experiment;
  void persist(Archive& archive) { archive("experiment", experiment); }
};

[[noreturn]] void throw_unfit(const Error& error) {
  throw Error(fmt::format("the checkpoint does not fit this configuration: {}",
                          error.what()));
}

}  // namespace

void restore_experiment(Experiment& experiment, const Snapshot& saved) {
  experiment.outer_loop().begin(experiment.initial_hyper(),
                                experiment.tuning_key());
  require_alike(save(experiment, Tensors::kShared), saved);
  Shared shared{experiment};
  try {
    restore(shared, saved);
  } catch (const Error& error) {
    throw_unfit(error);
  }
}

void Run::restore(const SavedSnapshot& saved,
                  const std::vector<std::string>& changed, bool other_data) {
  bool same_losses =
      std::none_of(changed.begin(), changed.end(), [](const auto& key) {
        return is_one_of(
            key, {"seed", "device", "precision", "problem", "hyperparameters"});
      });
  if (same_losses) {
    same_losses = compare_fingerprints(saved.snapshot, other_data);
  }
  compare_ranks(saved.about.value("ranks", 1));
  tell_restore(experiment_.world(), saved);
  restore_experiment(experiment_, saved.snapshot);
  if (best_) require_best_step(saved.snapshot);
  try {
    ::nestgrad::restore(*this, saved.snapshot);
  } catch (const Error& error) {
    throw_unfit(error);
  }
  // Losses of another problem or of other data cannot be compared.
  const bool same_judges =
      std::none_of(changed.begin(), changed.end(), [this](const auto& key) {
        return key == "record.fresh" ||
               (has_fresh_networks() &&
                is_one_of(key, {"inner", "record.protocol", "record.retrain"}));
      });
  if (best_ && !(same_losses && same_judges)) best_->forget();
  if (!best_) remove_file(folder_->file(kBestFile));
  if (!changed.empty()) {
    termination_.clear();
    message_.clear();
    final_runs_.clear();
    retraining_seconds_ = 0;
  }
  remove_file(folder_->file("summary.json"));  // of before
  write_config();
  // So that the changed configuration is that of a checkpoint, too.
  if (!changed.empty()) {
    if (checkpoint_integer("keep") > 0) tell_save(experiment_.world());
    checkpoint();
  }
  Json run = as_written(folder_->path(), [&] {
    return Json::parse(read_file(folder_->file("run.json")));
  });
  run["resumed"].push_back({{"at", utc_now()},
                            {"outer_step", experiment_.outer_loop().step()},
                            {"changed", changed}});
  // A changed path may be seen from other folders than before.
  if (!changed.empty()) run["paths_from"] = config_.folders();
  folder_->write("run.json", run);
  console_.say(fmt::format("{}: continues after outer step {} of {}",
                           folder_->path(), experiment_.outer_loop().step(),
                           experiment_.outer_steps()));
  tell_start(experiment_.outer_loop().step());
}

void Run::compare_ranks(std::int64_t before) const {
  const int now = experiment_.world().size();
  const std::int64_t shares = config_.object("distributed").integer("shares");
  if (before == now || shares > 0) return;
  const std::string were =
      fmt::format("{} {}", before, before == 1 ? "rank" : "ranks");
  const Divided divided = wanted_divided(config_, experiment_.estimator());
  require(divided != Divided::kStarts,
          "a run whose ranks have a start each goes on with as many as it "
          "had, {}; \"shares\" in \"distributed\" makes runs that may go on "
          "with others",
          were);
  if (divided != Divided::kExamples) return;
  add_warning(fmt::format(
      "the run was of {} and is of {} now, which sum in another order: it goes "
      "on from the same numbers, but rounds them differently; \"shares\" in "
      "\"distributed\" makes runs that do not depend on it",
      were, now));
}

bool Run::compare_fingerprints(const Snapshot& saved, bool other_data) {
  bool same = true, comparable = true;
  const auto compare = [&](const char* which, double now) {
    const auto found = saved.numbers.find(fmt::format("fingerprint/{}", which));
    if (found == saved.numbers.end()) return;
    const double before = found->second;
    const bool equal = before == now || (std::isnan(before) && std::isnan(now));
    same = same && equal;
    constexpr double kRounding = 1e-3;
    if (equal || std::abs(before - now) <= kRounding * std::abs(before)) return;
    comparable = false;
    if (other_data) return;
    throw Error(fmt::format(
        "the {} loss at the initial weights is {:.6g}, and was {:.6g} when "
        "the run began: the data have changed (--allow data goes on all the "
        "same)",
        which, now, before));
  };
  compare("training", fingerprint_.first);
  compare("validation", fingerprint_.second);
  if (same) return true;
  console_.warn(
      "losses at the initial weights are not what they were to the last "
      "digit (other data, another processor or library), so the rest of this "
      "run is not what it would have been bit by bit");
  return comparable;
}

}  // namespace nestgrad
