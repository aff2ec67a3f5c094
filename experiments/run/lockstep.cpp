#include "experiments/run/lockstep.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>

#include "experiments/setup/process.h"

namespace nestgrad {
namespace {

// What each rank tells, one number each.
enum Told {
  kSignal,
  kSaves,
  kTrainLosses,
  kValidLosses,
  kCollectives,
  kHyper,
  kWeights,
  kToldNumbers
};

/// A number that differs where one bit differs and, but for chance, where
/// several do: FNV-1a, eight bytes at a time.
std::int64_t digest_of(const ParameterSet& set) {
  std::uint64_t hash = 0xCBF29CE484222325;
  for (const Tensor& tensor : set.tensors()) {
    const Tensor own = tensor.detach().to(at::kCPU).contiguous();
    const auto* const bytes = static_cast<const char*>(own.data_ptr());
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < own.nbytes(); i += sizeof word) {
      std::memcpy(&word, bytes + i, std::min(sizeof word, own.nbytes() - i));
      hash = (hash ^ word) * 0x100000001B3;
    }
  }
  return static_cast<std::int64_t>(hash);
}

/// Rank 0 says what is wrong.
[[noreturn]] void lose(const World& world, const std::string& what) {
  throw RankLost(world.is_first() ? what : "");
}

}  // namespace

void require_same_data(World& world, const std::pair<double, double>& losses) {
  if (world.alone()) return;
  const Tensor all =
      world.gather(at::tensor({losses.first, losses.second}, at::kDouble));
  constexpr double kSame = 1e-3;  // but for rounding
  for (std::int64_t r = 1; r < world.size(); ++r) {
    if (at::allclose(all[r], all[0], kSame, /*atol=*/0,
                     /*equal_nan=*/true)) {
      continue;
    }
    lose(world,
         fmt::format("rank {} has other data than rank 0: losses at the "
                     "initial weights are {:.6g} and {:.6g} there, and "
                     "{:.6g} and {:.6g} at rank 0",
                     r, all[r][0].item<double>(), all[r][1].item<double>(),
                     losses.first, losses.second));
  }
}

Lockstep::Lockstep(const Experiment& experiment,
                   std::function<bool(const OuterStep&)> due)
    : experiment_(experiment),
      due_(std::move(due)),
      train_losses_(experiment.problem().train_losses()),
      valid_losses_(experiment.problem().valid_losses()) {}

Observer::Verdict Lockstep::on_step(const OuterStep& step) {
  World& world = experiment_.world();
  saves_ = due_(step);
  signal_ = noted_signal();
  if (world.alone()) return Verdict::kContinue;
  const Counted& problem = experiment_.problem();
  std::vector<std::int64_t> own(kToldNumbers);
  own[kSignal] = signal_;
  own[kSaves] = saves_;
  own[kTrainLosses] = problem.train_losses() - train_losses_;
  own[kValidLosses] = problem.valid_losses() - valid_losses_;
  own[kCollectives] = world.collectives();
  own[kHyper] = digest_of(*step.next);
  // Ranks that divide starts have weights of their own. In cold starts from
  // others than the first they would have to be trained to be known, and have
  // no effect on later steps.
  const Divided divided = experiment_.divided();
  if (divided != Divided::kStarts && step.position.start == 0) {
    own[kWeights] = digest_of(experiment_.weights(*step.next));
  }
  const Tensor all = world.gather(at::tensor(own));
  compare(all, step);
  // Losses of divided examples are those of whole minibatches already.
  if (divided != Divided::kExamples) add_evaluations(all);
  const auto largest = [&](Told what) {
    return all.select(1, what).max().item<std::int64_t>();
  };
  signal_ = static_cast<int>(largest(kSignal));
  saves_ = largest(kSaves) != 0;
  return Verdict::kContinue;
}

void Lockstep::compare(const Tensor& all, const OuterStep& step) const {
  World& world = experiment_.world();
  const auto require_alike = [&](Told what, const char* sentence) {
    const Tensor each = all.select(1, what);
    for (std::int64_t r = 1; r < world.size(); ++r) {
      if (each[r].item<std::int64_t>() == each[0].item<std::int64_t>())
        continue;
      lose(world, fmt::format("after outer step {}, rank {} {} rank 0: another "
                              "program, processor or number of threads, or "
                              "broken memory",
                              step.step, r, sentence));
    }
  };
  require_alike(kCollectives, "has exchanged more or less often than");
  require_alike(kHyper, "has other hyperparameters than");
  require_alike(kWeights, "has other weights than");
}

void Lockstep::add_evaluations(const Tensor& all) {
  const Counted& problem = experiment_.problem();
  const auto others = [&](Told what, std::int64_t& so_far, std::int64_t own) {
    const auto sum = all.select(1, what).sum().item<std::int64_t>();
    const std::int64_t missing = so_far + sum - own;
    so_far += sum;
    return missing;
  };
  const std::int64_t train =
      others(kTrainLosses, train_losses_, problem.train_losses());
  const std::int64_t valid =
      others(kValidLosses, valid_losses_, problem.valid_losses());
  problem.add(train, valid);
}

Observer::Verdict CommonEnd::on_step(const OuterStep& step) {
  bool ends =
      lockstep_->signal() != 0 || (world_.alone() && noted_signal() != 0);
  if (first_decides_ && !world_.alone()) {
    const Tensor last =
        world_.gather(at::scalar_tensor(step.last ? 1 : 0, at::kLong));
    ends = ends || last[0].item<std::int64_t>() != 0;
  }
  return ends ? Verdict::kStop : Verdict::kContinue;
}

}  // namespace nestgrad
