#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/problem.h"
#include "experiments/record/json_lines.h"

namespace nestgrad {

/// A network that one of the compared ways has led to, and when.
struct ArmPoint {
  double seconds = 0;               ///< processor time until it was trained
  Metrics metrics = {};             ///< empty if training diverged
  std::vector<double> values = {};  ///< of a search that learns from them
  std::int64_t outer_steps = 0;     ///< of tuning by hypergradients
};

/// What one way of tuning has come to with one seed: a part of trials.jsonl.
struct SearchArm {
  static constexpr const char* kHypergradients = "hypergradients";

  std::string name;  ///< kHypergradients, or the type of a search
  std::int64_t seed = 0;
  std::vector<ArmPoint> points = {};
  std::string ended = {};  ///< why it ended: "budget"; "" while it goes on

  /// The arm of this name and seed in the lines of a file.
  static SearchArm in(const std::vector<Json>& lines, const std::string& name,
                      std::int64_t seed);

  void add(JsonLines& file, ArmPoint point);
  void end(JsonLines& file, const std::string& reason);

 private:
  Json line() const { return {{"arm", name}, {"seed", seed}}; }
};

}  // namespace nestgrad
