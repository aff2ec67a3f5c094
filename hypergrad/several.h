#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "hypergrad/estimator.h"

namespace nestgrad {

/// Base of what is made of several estimators of one method, each with inner
/// training of its own. The commands that judge a method ask it alone.
class SeveralEstimators : public HypergradientEstimator {
 public:
  // What the method says.
  std::int64_t warm_up() const override { return first().warm_up(); }
  std::string metric() const override { return first().metric(); }
  Target target() const override { return first().target(); }
  bool differentiates_training() const override {
    return first().differentiates_training();
  }
  bool differentiates_twice() const override {
    return first().differentiates_twice();
  }
  bool takes_differences() const override {
    return first().takes_differences();
  }
  Json setting_without_second_derivatives() const override {
    return first().setting_without_second_derivatives();
  }
  Footprint footprint() const override { return first().footprint(); }
  Json rehearsal(const Json& section, std::int64_t window,
                 std::int64_t outer_steps_per_window) const override {
    return first().rehearsal(section, window, outer_steps_per_window);
  }

 protected:
  using Members = std::vector<std::unique_ptr<HypergradientEstimator>>;

  const HypergradientEstimator& first() const { return *members_.front(); }

  Members members_;
};

}  // namespace nestgrad
