#include "hypergrad/averaged.h"

#include <ATen/ATen.h>

#include <cmath>

#include "core/parallel/rank_sums.h"
#include "core/storage/snapshot_file.h"
#include "core/tensor/sum.h"

namespace nestgrad {
namespace {

/// What stands for the metrics of all shares: their sum, an extreme value or,
/// of others, their mean.
enum class Joined { kMean, kSum, kSmallest, kLargest };

Joined joined_as(const std::string& metric) {
  if (metric == "products" || metric == "particles_lost") return Joined::kSum;
  if (metric == "smallest_curvature") return Joined::kSmallest;
  if (metric == "largest_curvature" || metric == "condition_at_least" ||
      metric == "residual") {
    return Joined::kLargest;
  }
  return Joined::kMean;
}

/// Of the shares that have the metric, one or more. Extremes leave NaN out.
double joined(Joined how, const std::vector<double>& values) {
  double sum = 0, smallest = std::nan(""), largest = std::nan("");
  for (const double value : values) {
    sum += value;
    smallest = std::fmin(smallest, value);
    largest = std::fmax(largest, value);
  }
  switch (how) {
    case Joined::kSum:
      return sum;
    case Joined::kSmallest:
      return smallest;
    case Joined::kLargest:
      return largest;
    case Joined::kMean:
      break;
  }
  return sum / static_cast<double>(values.size());
}

/// What an estimate says, but for its gradient.
struct Said {
  double objective = 0;
  std::int64_t status = 0;
  std::string trouble;
  Metrics metrics;
  std::string used;

  void persist(Archive& archive) {
    archive("objective", objective);
    archive("status", status);
    archive("trouble", trouble);
    archive("metrics", metrics);
    archive("used", used);
  }
};

/// Of several shares.
struct AllSaid {
  std::vector<Said> shares;
  void persist(Archive& archive) { archive("shares", shares); }
};

/// Collective. What the estimates of all ranks say, in order.
std::vector<Said> said_by_all(World& world, AllSaid own) {
  if (world.alone()) return std::move(own.shares);
  std::vector<Said> out;
  for (const std::string& bytes :
       gather_bytes(world, encode_snapshot(save(own), Json::object()))) {
    AllSaid one;
    restore(one, decode_snapshot(bytes).snapshot);
    out.insert(out.end(), one.shares.begin(), one.shares.end());
  }
  return out;
}

/// What all of them say together, without a gradient.
Estimate joined(const std::vector<Said>& all) {
  Estimate out;
  double objective = 0;
  std::map<std::string, std::vector<double>> metrics;
  for (std::size_t s = 0; s < all.size(); ++s) {
    const Said& one = all[s];
    objective += one.objective;
    for (const auto& [name, value] : one.metrics) {
      metrics[name].push_back(value);
    }
    const auto status = static_cast<Status>(one.status);
    if (status > out.status) {
      out.status = status;
      out.trouble = one.trouble.empty()
                        ? ""
                        : fmt::format("start {}: {}", s, one.trouble);
    }
  }
  out.objective = objective / static_cast<double>(all.size());
  for (const auto& [name, values] : metrics) {
    out.metrics[name] = joined(joined_as(name), values);
  }
  out.used = Json::parse(all.front().used);
  return out;
}

}  // namespace

Averaged::Averaged(std::shared_ptr<World> world, std::int64_t shares,
                   const Make& make)
    : world_(shares > 0 ? std::make_shared<PairwiseWorld>(std::move(world))
                        : std::move(world)),
      shares_(shares > 0 ? shares : world_->size()),
      part_(shares_, *world_) {
  for (std::int64_t s = 0; s < part_.count; ++s) members_.push_back(make());
}

void Averaged::begin(const ParameterSet& hyper, const Key& key) {
  auto share = static_cast<std::uint64_t>(part_.first);
  for (const auto& own : members_) {
    own->begin(hyper, share == 0 ? key : key.fold("share").fold(share));
    ++share;
  }
}

Estimate Averaged::estimate(const ParameterSet& hyper) {
  AllSaid said;
  std::vector<Tensor> gradients;
  for (const auto& own : members_) {
    Estimate one = own->estimate(hyper);
    gradients.push_back(one.gradient.flatten());
    said.shares.push_back({one.objective, static_cast<std::int64_t>(one.status),
                           one.trouble, one.metrics, one.used.dump()});
  }
  Estimate out = joined(said_by_all(*world_, std::move(said)));
  const Tensor sum = world_->sum(pairwise_sum(std::move(gradients)));
  out.gradient = hyper.unflatten(sum / static_cast<double>(shares_));
  return out;
}

ParameterSet Averaged::weights(const ParameterSet& hyper) const {
  return first().weights(hyper);
}

void Averaged::persist_own(Archive& archive) {
  std::int64_t share = part_.first;
  for (const auto& own : members_)
    archive(fmt::format("share_{}", share++), *own);
}

void Averaged::persist(Archive& archive) {
  if (archive.restoring() || world_->alone()) {
    persist_own(archive);
    return;
  }
  SavingArchive own(Tensors::kShared);
  persist_own(own);
  for (const std::string& bytes :
       gather_bytes(*world_, encode_snapshot(own.take(), Json::object()))) {
    decode_snapshot(bytes).snapshot.persist(archive);
  }
}

Footprint Averaged::footprint() const {
  Footprint out = first().footprint();
  out.steps *= part_.count;
  out.taped *= part_.count;
  return out;
}

}  // namespace nestgrad
