#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/config/registry.h"
#include "core/tensor/key.h"
#include "experiments/black_box/search_space.h"

namespace nestgrad {

/// Values that were tried, and what came of them.
struct Trial {
  std::vector<double> values;
  double loss = 0;  ///< smaller is better; infinity if training diverged
};

/// Decides which values are tried next, knowing nothing but the results of
/// earlier trials.
class BlackBoxSearch {
 public:
  static constexpr const char* kKind = "black_box_searches";

  virtual ~BlackBoxSearch() = default;

  /// The values of the trial after these, one for each number of the space. The
  /// same trials lead to the same values. Each call adds one trial to those of
  /// the last call, or is the first.
  virtual std::vector<double> next(const std::vector<Trial>& trials) = 0;

  /// Whether next() depends on the values and losses of earlier trials, and not
  /// on their number alone.
  virtual bool learns() const { return true; }

  /// Processor time that the calls so far have taken in other processes.
  virtual double seconds_elsewhere() const { return 0; }
};

/// What a search is made from.
struct SearchContext {
  std::vector<SearchedNumber> numbers;
  Key key;
};

using BlackBoxRegistry = Registry<BlackBoxSearch, const SearchContext&>;

/// The program that this search needs is not there.
class SearchMissing : public Error {
 public:
  using Error::Error;
};

}  // namespace nestgrad
