#pragma once

#include <cstdint>

#include "core/config/config.h"
#include "core/config/registry.h"
#include "core/nn/layer.h"

namespace nestgrad {

/// How networks are trained from scratch on a small training set, so that sets
/// of different makers can be compared: the network, the rule, the number of
/// steps, the augmentation. Published tables are comparable within a protocol
/// only.
///
/// To add one, see experiments/setup/protocols/dc.cpp.
class Protocol {
 public:
  static constexpr const char* kKind = "protocols";

  /// The keys that all have: which network, and how many.
  static Schema common_schema();

  virtual ~Protocol() = default;

  /// Sections of a configuration, and keys of the problem "distillation".
  struct Training {
    Json inner;
    Json augment;        ///< layers before those of the network
    std::string loss;    ///< "cross_entropy" or "squared_error"
    std::int64_t batch;  ///< examples per step
    std::int64_t steps;  ///< training steps
  };

  /// How to train on so many examples of this shape.
  virtual Training training(std::int64_t examples,
                            const Shape& shape) const = 0;
};

using ProtocolRegistry = Registry<Protocol>;

class Experiment;

/// The experiment that judges the examples of another one by its
/// record.protocol: the same data, and otherwise what the protocol says. Its
/// final runs are those of the protocol, but for numbers that `record` itself
/// has under `retrain` and `networks`. `other_model`: a section that takes the
/// place of the protocol's. Throws ConfigError if the problem is
/// not "distillation".
Config with_protocol(const Config& config, const Experiment& experiment,
                     const Config* other_model = nullptr);

/// Whether record.protocol names one.
bool has_protocol(const Config& config);

/// The configuration of the final runs: with_protocol() where there is one, and
/// else `config`, with the other model if one is given.
Config config_of_final_runs(const Config& config, const Experiment& experiment,
                            const Config* other_model = nullptr);

/// Training steps of each final run, if tuning makes `outer_steps` outer steps.
/// 0: there are no final runs.
std::int64_t steps_of_final_runs(const Config& config,
                                 const Experiment& experiment,
                                 std::int64_t outer_steps);

}  // namespace nestgrad
