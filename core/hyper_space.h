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

/// One hyperparameter of an experiment: one entry of the "hyperparameters"
/// section of a configuration.
struct HyperSpec {
  std::string name;
  Tensor initial;  ///< in its own units
  Coordinates coordinates = {};
  bool tuned = true;  ///< false: a constant, which losses still read
};

/// A problem in natural units, seen in unconstrained coordinates.
///
/// A loss is written in terms of a weight decay, say; estimators perturb its
/// logarithm and subtract gradients from it. Only this class converts between
/// the two.
class Reparameterized : public ProblemDecorator {
 public:
  Reparameterized(std::shared_ptr<const BilevelProblem> problem,
                  std::vector<HyperSpec> space);

  bool has_train_gradient() const override {
    return problem().has_train_gradient();
  }

  /// The tuned hyperparameters only.
  ParameterSet initial_hyper() const override;

  /// All hyperparameters, including constants.
  ParameterSet natural(const ParameterSet& hyper) const override;

  /// The problem's baselines, completed and in unconstrained coordinates.
  std::vector<std::pair<std::string, ParameterSet>> baselines() const override;

 protected:
  ParameterSet inner_hyper(const ParameterSet& hyper) const override {
    return natural(hyper);
  }

 private:
  std::vector<HyperSpec> space_;
  ParameterSet initial_;  // of all of them, in their own units
};

/// The keys of one entry of the "hyperparameters" section.
Schema hyper_spec_schema();

/// What the "hyperparameters" section chooses by "per", for ProblemContext.
std::map<std::string, std::string> chosen_granularities(const Config& section);

/// Reads the "hyperparameters" section. An entry must be declared by the
/// problem (which supplies defaults and the number of elements) or be named by
/// a "$reference" in the training rule. Required hyperparameters of the problem
/// that are left out become constants. `rule` is the training rule, which may
/// declare some of them. Throws ConfigError with all complaints.
std::vector<HyperSpec> read_hyper_space(const Config& section,
                                        const BilevelProblem& problem,
                                        const std::set<std::string>& references,
                                        const at::TensorOptions& options,
                                        const Optimizer* rule = nullptr);

/// The names of all "$name" strings in `json`.
std::set<std::string> references(const Json& json);

}  // namespace nestgrad
