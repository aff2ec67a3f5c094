#pragma once

#include <cstdint>
#include <string>

#include "core/observer.h"
#include "core/storage/archive.h"

namespace nestgrad {

/// Keeps what the best outer step so far has seen: its hyperparameters and the
/// weights that training under them has led to. They are in a file, so that no
/// memory is held between steps.
///
/// Candidates are the steps at which the problem is evaluated; see
/// is_evaluated(). The best has the best value of a metric in its evaluation
/// (the validation loss, say), or the least loss of its estimate if the problem
/// has no such metric. Of equal ones the first is the best. Values that are not
/// finite do not count.
///
/// In truncated training, candidates stand at several places of a run. There a
/// step counts only if its weights have been trained for as long as those of
/// any candidate before it; if for longer, it takes the place of the best.
class BestStep : public Observer {
 public:
  /// `path`: the file, which is written at every improvement.
  BestStep(std::string path, std::int64_t every, std::string metric,
           bool truncated)
      : path_(std::move(path)),
        every_(every),
        judged_(std::move(metric)),
        truncated_(truncated) {}

  void on_start(const OuterStep& start) override { consider(start); }
  Verdict on_step(const OuterStep& step) override;

  /// Whether there has been a candidate.
  bool known() const { return step_ >= 0; }

  // Of the best step. REQUIRES known().
  std::int64_t step() const { return step_; }            ///< 0: the start
  const std::string& metric() const { return metric_; }  ///< or "outer_loss"
  double value() const { return value_; }
  const Metrics& evaluation() const { return evaluation_; }

  struct Sets {
    ParameterSet hyper, weights;
    void persist(Archive& archive);
  };

  /// Reads the file. REQUIRES known().
  Sets sets() const;

  /// The number of candidates, and the last of them.
  std::int64_t candidates() const { return candidates_; }
  std::int64_t last_candidate() const { return last_candidate_; }

  /// Forgets the best step and removes the file.
  void forget();

  /// The file is in the archive, too. Restoring writes it.
  void persist(Archive& archive);

 private:
  void consider(const OuterStep& step);
  void write(Sets sets) const;

  std::string path_;
  std::int64_t every_;
  std::string judged_;
  bool truncated_;
  std::int64_t step_ = -1;
  std::string metric_;
  double value_ = 0;
  Metrics evaluation_;
  std::int64_t trained_ = 0;  // training steps of its weights
  std::int64_t candidates_ = 0, last_candidate_ = -1;
};

}  // namespace nestgrad
