#pragma once

#include "experiments/judge/check.h"
#include "experiments/setup/experiment.h"

namespace nestgrad {

/// What a check of this configuration finds.
inline CheckResult checked(const Json& config,
                           const CheckOptions& options = {}) {
  return check_estimator(Config(complete(experiment_schema(), config)),
                         options);
}

}  // namespace nestgrad
