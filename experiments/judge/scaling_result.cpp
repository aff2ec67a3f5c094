#include "experiments/judge/scaling_result.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/platform/memory_meter.h"

namespace nestgrad {

Exchanges Exchanges::of(const World& world) {
  const auto number = [](std::int64_t n) { return static_cast<double>(n); };
  const Traffic& gathers = world.gathers();
  const Traffic& sums = world.sums();
  return {number(gathers.exchanges), number(sums.exchanges),
          number(sums.short_ones), number(gathers.bytes), number(sums.bytes)};
}

Exchanges operator+(const Exchanges& a, const Exchanges& b) {
  return {a.gathers + b.gathers, a.sums + b.sums, a.short_sums + b.short_sums,
          a.gathered + b.gathered, a.summed + b.summed};
}

Exchanges operator*(double factor, const Exchanges& a) {
  return {factor * a.gathers, factor * a.sums, factor * a.short_sums,
          factor * a.gathered, factor * a.summed};
}

double Link::seconds(const Exchanges& exchanges, int ranks) const {
  constexpr double kReached = 0.7;  // of the bandwidth
  constexpr double kRoundTripsOfSum = 3, kRoundTripsOfShortSum = 1.5,
                   kRoundTripsOfGather = 1.5;
  const auto n = static_cast<double>(ranks);
  const double bytes_per_second = kReached * bits_per_second / 8;
  const double round_trips =
      kRoundTripsOfSum * (n - 1) * (exchanges.sums - exchanges.short_sums) +
      kRoundTripsOfShortSum * std::log2(n) * exchanges.short_sums +
      kRoundTripsOfGather * (n - 1) * exchanges.gathers;
  const double bytes =
      2 * (n - 1) / n * exchanges.summed + (n - 1) * exchanges.gathered;
  return round_trip * round_trips + bytes / bytes_per_second;
}

const RanksForecast& Scaling::fastest() const {
  return *std::max_element(forecasts.begin(), forecasts.end(),
                           [this](const auto& a, const auto& b) {
                             return speed_up(a) < speed_up(b);
                           });
}

Json Scaling::to_json() const {
  Json out = {{"divide", divide},
              {"bandwidth_bits_per_second", link.bits_per_second},
              {"latency_seconds", link.round_trip},
              {"exchanges", exchanges.count()},
              {"exchanged_bytes", exchanges.bytes()},
              {"ranks", Json::array()}};
  for (const RanksForecast& f : forecasts) {
    out["ranks"].push_back({{"ranks", f.ranks},
                            {"computing_seconds", f.computing},
                            {"exchanging_seconds", f.exchanging},
                            {"estimate_seconds", f.seconds()},
                            {"work", f.work},
                            {"speed_up", speed_up(f)}});
  }
  if (forecasts.size() > 1) out["fastest_ranks"] = fastest().ranks;
  if (!trouble.empty()) out["trouble"] = trouble;
  return out;
}

std::string Scaling::text() const {
  if (forecasts.size() < 2) return "\nSeveral ranks: " + trouble + "\n";
  const bool many_bytes = exchanges.bytes() >= 1e5;
  std::string out = fmt::format(
      "\nRanks that divide {} exchange {:.0f} times in an outer step, {} from "
      "each.\nSeconds of an outer step, if every rank has what this process "
      "has now, and\nbetween them are {:g} Gbit/s and a round trip of {:g} "
      "ms:\n\n{:>8}{:>12}{:>13}{:>10}{:>10}\n",
      divide, exchanges.count(),
      many_bytes ? fmt::format("{:.1f} MB", exchanges.bytes() / 1e6)
                 : fmt::format("{:.0f} bytes", exchanges.bytes()),
      link.bits_per_second / 1e9, 1e3 * link.round_trip, "ranks", "computing",
      "exchanging", "together", "speed-up");
  for (const RanksForecast& f : forecasts) {
    out += fmt::format("{:>8}{:>12.3g}{:>13.3g}{:>10.3g}{:>10.2f}\n", f.ranks,
                       f.computing, f.exchanging, f.seconds(), speed_up(f));
  }
  if (forecasts.back().work > 1) {
    out +=
        "\nEach rank has a start of its own: the speed-up is over one rank "
        "that takes as\nmany starts. \"shares\" fixes their number.\n";
  }
  const int best = fastest().ranks;
  if (best == 1) {
    out += "\nOne rank is fastest.\n";
  } else if (best < forecasts.back().ranks) {
    out += fmt::format("\nMore than {} ranks do not help.\n", best);
  }
  if (!trouble.empty()) {
    out += fmt::format("\nMore than {} ranks: {}\n", forecasts.back().ranks,
                       trouble);
  }
  return out;
}

}  // namespace nestgrad
