#pragma once

#include <string>

#include "core/config/config.h"
#include "core/config/schema.h"
#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// The key "limit" of an estimator whose cost or variance grows with the number
/// of hyperparameters.
class HyperLimit {
 public:
  /// Adds the key. `reason` follows "Largest number of hyperparameters".
  static Schema add_key(Schema schema, std::int64_t limit,
                        const std::string& reason) {
    return schema.integer("limit", limit,
                          "Largest number of hyperparameters" + reason,
                          at_least(1));
  }

  explicit HyperLimit(const Config& config)
      : type_(config.type()), limit_(config.integer("limit")) {}

  /// Throws Error if `hyper` holds more numbers than the limit. `instead`: what
  /// to do other than to raise it.
  void check(const ParameterSet& hyper,
             const char* instead = "take another one") const {
    require(hyper.numel() <= limit_,
            "the estimator \"{}\" is limited to {} hyperparameters, there are "
            "{}; raise its \"limit\" or {}",
            type_, limit_, hyper.numel(), instead);
  }

 private:
  std::string type_;
  std::int64_t limit_;
};

}  // namespace nestgrad
