#include "experiments/judge/scaling.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include <optional>

#include "core/platform/exceptions.h"
#include "experiments/judge/forecast.h"

namespace nestgrad {
namespace {

/// The last of so many ranks, which has the largest part of the work. The
/// others are not there: each seems to give what this one gives.
class LastRank : public World {
 public:
  explicit LastRank(int size) : size_(size) {}

  int rank() const override { return size_ - 1; }
  int size() const override { return size_; }
  Tensor gather(const Tensor& own) override {
    const Tensor given = own.detach().to(at::kCPU);
    gathers_.count(static_cast<std::int64_t>(given.nbytes()));
    std::vector<std::int64_t> sizes = given.sizes().vec();
    sizes.insert(sizes.begin(), size_);
    return given.unsqueeze(0).expand(sizes);
  }
  Tensor sum(const Tensor& own) override {
    sums_.count(static_cast<std::int64_t>(own.nbytes()));
    return own.detach() * size_;
  }
  std::string from_first(const std::string& bytes) override { return bytes; }
  void fail(const std::string&) override {}
  void part() override {}

 private:
  int size_;
};

/// What all ranks tell each other after each outer step; see Lockstep and
/// CommonEnd of experiments/run.
Exchanges to_keep_together() {
  Exchanges out;
  out.gathers = 2;
  out.gathered = 64;
  return out;
}

class RanksRehearsal {
 public:
  explicit RanksRehearsal(const Config& config) : config_(config) {}

  /// One of so many ranks; empty if there cannot be so many, which
  /// trouble() explains.
  std::optional<PlanCost> cost(int ranks) {
    const MemoryMeter memory;
    try {
      const Experiment experiment(config_, std::make_shared<LastRank>(ranks));
      divided_ = experiment.divided();
      return forecast(config_, experiment, memory);
    } catch (const ConfigError& error) {
      trouble_ = error.complaints().front().what;
    } catch (const Error& error) {
      trouble_ = error.what();
    } catch (const c10::Error& error) {
      if (is_out_of_memory(error)) throw;
      trouble_ = one_line(error);
    }
    return {};
  }

  Divided divided() const { return divided_; }
  const std::string& trouble() const { return trouble_; }

 private:
  const Config& config_;
  Divided divided_ = Divided::kNothing;
  std::string trouble_;
};

/// 1, 2, 4, ... and `most` itself.
std::vector<int> counts_to(int most) {
  std::vector<int> out;
  for (int n = 1; n < most; n *= 2) out.push_back(n);
  out.push_back(most);
  return out;
}

/// The value at x of the line through two points.
double on_line(double x, double x0, double y0, double x1, double y1) {
  return x1 == x0 ? y0 : y0 + (x - x0) / (x1 - x0) * (y1 - y0);
}

}  // namespace

Scaling make_scaling(const Config& config, const PlanCost& cost, int ranks,
                     const Link& link) {
  Scaling out;
  out.link = link;
  out.forecasts.push_back({1, cost.estimate, 0});
  RanksRehearsal rehearsal(config);
  std::vector<int> counts = counts_to(ranks);
  std::optional<PlanCost> most;
  while (counts.size() > 1 && !(most = rehearsal.cost(counts.back()))) {
    counts.pop_back();
  }
  out.trouble = rehearsal.trouble();
  if (!most) return out;
  const std::optional<PlanCost> two =
      counts.back() == 2 ? most : rehearsal.cost(2);
  if (!two) {
    out.trouble = rehearsal.trouble();
    return out;
  }
  out.divide = to_string(rehearsal.divided());
  out.exchanges = most->exchanges + to_keep_together();
  const bool own_starts = rehearsal.divided() == Divided::kStarts &&
                          config.object("distributed").integer("shares") == 0;
  for (std::size_t i = 1; i < counts.size(); ++i) {
    const double n = counts[i];
    const double computing = on_line(1 / n, 1. / 2, two->estimate,
                                     1. / counts.back(), most->estimate);
    out.forecasts.push_back({counts[i], computing,
                             link.seconds(out.exchanges, counts[i]),
                             own_starts ? n : 1});
  }
  return out;
}

}  // namespace nestgrad
