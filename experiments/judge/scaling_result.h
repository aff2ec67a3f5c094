#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/config/json_file.h"
#include "core/distributed/world.h"

namespace nestgrad {

/// What a rank exchanges with the others, in an outer step for one.
struct Exchanges {
  double gathers = 0, sums = 0;
  double short_sums = 0;            ///< of the sums, those of one number
  double gathered = 0, summed = 0;  ///< bytes that this rank gives

  /// All so far.
  static Exchanges of(const World& world);

  double count() const { return gathers + sums; }
  double bytes() const { return gathered + summed; }
};

Exchanges operator+(const Exchanges& a, const Exchanges& b);
Exchanges operator*(double factor, const Exchanges& a);
inline Exchanges operator-(const Exchanges& a, const Exchanges& b) {
  return a + (-1) * b;
}

/// What is between any two ranks.
struct Link {
  double bits_per_second = 10e9;
  double round_trip = 1e-4;  ///< seconds, as ping tells

  /// The time that so many ranks take for exchanges by Gloo, in seconds: with
  /// the round trip t, R ranks and 70 percent of the bandwidth beta,
  ///
  ///   sum of n bytes      3 (R - 1) t + 2 (R - 1)/R n / beta
  ///   sum of one number   1.5 log2(R) t
  ///   gather of n bytes   1.5 (R - 1) t + (R - 1) n / beta
  ///
  /// Factors of t are measured, between processes whose link takes 1 ms.
  double seconds(const Exchanges& exchanges, int ranks) const;
};

/// An outer step of so many ranks.
struct RanksForecast {
  int ranks = 1;
  double computing = 0, exchanging = 0;  ///< seconds
  double work = 1;  ///< how much they do, in outer steps of one rank

  double seconds() const { return computing + exchanging; }
};

/// What several ranks would gain.
struct Scaling {
  std::string divide;  ///< what they divide: "examples", for one
  Link link;
  Exchanges exchanges;                   ///< of an outer step
  std::vector<RanksForecast> forecasts;  ///< the first is of one rank
  std::string trouble;  ///< why there are not as many as asked, or ""

  /// The forecast with the least time for its work.
  const RanksForecast& fastest() const;

  /// How much faster than one rank that does the same work.
  double speed_up(const RanksForecast& of) const {
    return of.work * forecasts.front().seconds() / of.seconds();
  }

  Json to_json() const;

  /// A table for people.
  std::string text() const;
};

}  // namespace nestgrad
