#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/hyper_space.h"

namespace nestgrad {

/// A number that a black-box search draws, in its own units.
struct SearchedNumber {
  std::string name;  ///< "lr", or "lr.3" if its hyperparameter has several
  double low = 0, high = 0;
  bool logarithmic = false;  ///< its logarithm is drawn
};

/// Intervals for hyperparameters, by name, in their own units.
using Intervals = std::map<std::string, std::pair<double, double>>;

/// The tuned hyperparameters of an experiment as a list of numbers, each in an
/// interval, which is all that a black-box search sees of them.
///
/// A number x that stays positive is drawn between initial / 1000 and 1000
/// initial, on a logarithmic scale; one that stays inside of an interval, on
/// that interval. Other numbers have no interval of their own: it must be
/// given.
class SearchSpace {
 public:
  /// `given`: intervals that take the place of those above. Throws Error if one
  /// is missing, or is none of a tuned hyperparameter, or has numbers that the
  /// hyperparameter cannot take.
  SearchSpace(const std::vector<HyperSpec>& space, const Intervals& given);

  const std::vector<SearchedNumber>& numbers() const { return numbers_; }

  /// What losses and estimators see of these values, one for each number.
  ParameterSet hyper(const std::vector<double>& values) const;

 private:
  std::vector<HyperSpec> tuned_;
  std::vector<SearchedNumber> numbers_;
};

}  // namespace nestgrad
