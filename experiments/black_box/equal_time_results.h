#pragma once

#include <string>
#include <utility>
#include <vector>

#include "experiments/black_box/search_arm.h"

namespace nestgrad {

/// A mean over seeds and its 95 % interval, by Student's t distribution of the
/// values or, for losses, of their logarithms: then the mean is the geometric
/// one. So a few seeds with enormous losses do not hide what all others say.
/// With one seed the interval is not known.
struct MeanOverSeeds {
  double mean = 0, low = 0, high = 0;

  /// `geometric`: REQUIRES positive values.
  static MeanOverSeeds of(const std::vector<double>& values, bool geometric);
};

/// What several ways of tuning came to in the same time.
class EqualTimeResults {
 public:
  /// `settings`: search.json; `lines`: those of trials.jsonl.
  EqualTimeResults(const Json& settings, const std::vector<Json>& lines);

  /// Writes results.json, results.csv and comparison.png.
  void write(const std::string& folder) const;

  Json json() const;
  std::string csv() const;

  /// A table for people, and who is ahead.
  std::string text() const;

 private:
  /// One way of tuning with all seeds, in the order of seeds.
  struct Way {
    std::string name;
    std::vector<SearchArm> arms;
  };

  /// The place of the point that an arm hands out after this time: the best
  /// one so far of a search, the last one of tuning by hypergradients. The
  /// first point counts at any time.
  std::size_t chosen(const SearchArm& arm, double seconds) const;

  /// A metric of that point, NaN if it has none, over seeds.
  std::vector<double> values(const Way& way, const std::string& metric,
                             double seconds) const;

  /// Whether means of a metric are geometric: it is a loss, and all results are
  /// positive.
  bool geometric(const std::string& metric) const;

  MeanOverSeeds mean(const Way& way, const std::string& metric,
                     double seconds) const {
    return MeanOverSeeds::of(values(way, metric, seconds), geometric(metric));
  }

  /// The mean over seeds of the first way's value divided by that of another
  /// one, or less that of another one where means are not geometric.
  MeanOverSeeds comparison(const Way& other, const std::string& metric) const;

  /// The mean over seeds of a metric over processor seconds, from when all
  /// seeds have a network.
  struct Course {
    std::vector<double> seconds, means;
  };
  Course course(const Way& way, const std::string& metric) const;

  /// Who of both is better by the metric: "hypergradients", another name, or
  /// "undecided".
  std::string ahead(const Way& other, const std::string& metric) const;

  double budget_;
  std::int64_t numbers_;
  std::string metric_;
  std::vector<std::string> shown_;  // metrics, the one that is tuned first
  std::vector<Way> ways_;           // hypergradients first
};

}  // namespace nestgrad
