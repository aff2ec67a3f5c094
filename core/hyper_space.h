#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/config/config.h"
#include "core/config/schema.h"
#include "core/optimizer.h"
#include "core/problem.h"

namespace nestgrad {

/// One hyperparameter of an experiment: one row of the "hyperparameters"
/// section of a configuration.
struct HyperSpec {
  std::string name;
  Tensor initial;  ///< in its own units
  Coordinates coordinates = {};
  bool tuned = true;  ///< false: a constant that losses and rules still see
};

/// A problem written in natural units, seen in unconstrained coordinates.
///
/// Users write losses in terms of a weight decay; estimators add noise to, and
/// subtract gradients from, its logarithm. This class is the only place that
/// knows the difference.
class Reparameterized : public ProblemDecorator {
 public:
  Reparameterized(std::shared_ptr<const BilevelProblem> problem,
                  std::vector<HyperSpec> space);

  /// Only what is tuned.
  ParameterSet initial_hyper() const override;

  /// Everything, constants included.
  ParameterSet natural(const ParameterSet& hyper) const override;

  /// Those of the problem, whole and in coordinates.
  std::vector<std::pair<std::string, ParameterSet>> baselines() const override;

 protected:
  ParameterSet inner_hyper(const ParameterSet& hyper) const override {
    return natural(hyper);
  }

 private:
  std::vector<HyperSpec> space_;
};

/// The keys of one entry of the "hyperparameters" section.
Schema hyper_spec_schema();

/// What the "hyperparameters" section chooses by "per", for ProblemContext.
std::map<std::string, std::string> chosen_granularities(const Config& section);

/// Reads the "hyperparameters" section. An entry must be known to the problem
/// (which then lends its defaults and says how many numbers there are) or be
/// named by a "$reference" in the training rule; required hyperparameters of
/// the problem that are left out become constants. `rule` is the training rule,
/// which may declare some of them. Throws ConfigError with all complaints.
std::vector<HyperSpec> read_hyper_space(const Config& section,
                                        const BilevelProblem& problem,
                                        const std::set<std::string>& references,
                                        const at::TensorOptions& options,
                                        const Optimizer* rule = nullptr);

/// The names that "$name" strings anywhere in `json` refer to.
std::set<std::string> references(const Json& json);

}  // namespace nestgrad
