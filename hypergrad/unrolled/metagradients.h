#pragma once

#include <optional>
#include <vector>

#include "hypergrad/adjoint.h"
#include "hypergrad/attribution.h"
#include "hypergrad/unrolled/checkpoint_schedule.h"

namespace nestgrad {

/// Exact derivatives of functions of the end of training, by backpropagation
/// through all of it with checkpoints. Every stretch of training is taped once
/// for all functions.
class Metagradients : public AttributionPass {
 public:
  Metagradients(const TrainingLoop& loop, AttributionTask task,
                const CheckpointSchedule& schedule);

  bool advance() override;
  double done() const override;
  std::vector<double> values() const override;
  std::vector<ParameterSet> gradients() const override;
  Footprint footprint() const override;
  void persist(Archive& archive) override;

 private:
  /// A state that is kept, and the segments from it to where the adjoints
  /// stand, with room for `states` states more on the way through them.
  struct Kept {
    TrainState state;
    std::int64_t segments = 0;
    std::int64_t states = 0;

    void persist(Archive& archive);
  };

  /// The state `segments` segments after `from`.
  TrainState trained(const TrainState& from, std::int64_t segments);

  /// Takes all adjoints back through the segment that starts here, the first
  /// time from the functions at its end.
  void back_through(const TrainState& start);

  /// An adjoint for each function, where training has ended.
  void begin_back(const TrainState& end);

  TrainingLoop loop_;
  AttributionTask task_;
  CheckpointSchedule schedule_;
  bool begun_ = false;
  std::vector<Kept> kept_;  // a stack: the last one is gone back to first
  std::vector<Adjoint> adjoints_;
  std::map<std::string, double> values_;  // by the number of the function
  std::int64_t steps_made_ = 0;           // forwards and backwards
};

}  // namespace nestgrad
