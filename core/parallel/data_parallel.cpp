#include "core/parallel/data_parallel.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <utility>

#include "core/parallel/rank_sums.h"
#include "core/platform/error.h"

namespace nestgrad {

/// Tensors on their way through one call of shares_of(): first all are added,
/// then all are taken in each share, in the same order. Dual numbers go in two
/// parts.
class DataParallel::Passage {
 public:
  void add(const Tensor& t) {
    dual_.push_back(is_dual(t));
    tensors_.push_back(dual_.back() ? primal(t) : t);
    if (dual_.back()) tensors_.push_back(tangent(t));
  }

  void add(const ParameterSet& set) {
    if (set.whole().defined()) {
      add(set.whole());
    } else {
      for (const Tensor& t : set.tensors()) add(t);
    }
  }

  void add(const RowResponse& response) {
    for (const Tensor& t : response.slopes) add(t);
    for (const Tensor& t : response.gates) add(t);
    add(response.displacement);
  }

  /// The ways into so many shares of this rank.
  std::vector<Passage> into_shares(const std::shared_ptr<World>& world,
                                   std::size_t shares) const {
    const auto copies = copies_of(shares_of(world, tensors_), shares);
    std::vector<Passage> out(shares, *this);
    for (std::size_t k = 0; k < shares; ++k) out[k].tensors_ = copies[k];
    return out;
  }

  Tensor take() {
    const Tensor t = tensors_[next_++];
    return dual_[taken_++] ? with_tangent(t, tensors_[next_++]) : t;
  }

  ParameterSet take(const ParameterSet& like) {
    if (like.whole().defined()) return like.unflatten(take());
    return like.map([this](const Tensor&) { return take(); });
  }

  RowResponse take(const RowResponse& like) {
    RowResponse out = like;
    for (Tensor& t : out.slopes) t = take();
    for (Tensor& t : out.gates) t = take();
    out.displacement = take();
    return out;
  }

 private:
  std::vector<Tensor> tensors_;
  std::vector<bool> dual_;
  std::size_t next_ = 0, taken_ = 0;
};

namespace {

/// The sum over ranks of the shares of this one. They may be dual numbers.
Tensor sum_over_ranks(const std::shared_ptr<World>& world,
                      const std::vector<Tensor>& shares) {
  const bool dual = is_dual(shares.front());
  std::vector<std::vector<Tensor>> parts;
  for (const Tensor& share : shares) {
    if (dual) {
      parts.push_back({primal(share), tangent(share)});
    } else {
      parts.push_back({share});
    }
  }
  const std::vector<Tensor> sums = summed(world, sums_of(parts));
  return dual ? with_tangent(sums[0], sums[1]) : sums[0];
}

double fraction(const BatchPart& part, std::int64_t examples) {
  return static_cast<double>(part.count) / static_cast<double>(examples);
}

}  // namespace

bool can_share(std::int64_t shares, const World& world) {
  return (shares & (shares - 1)) == 0 && shares % world.size() == 0;
}

DataParallel::DataParallel(std::shared_ptr<const BilevelProblem> problem,
                           std::shared_ptr<World> world, std::int64_t shares)
    : ProblemDecorator(std::move(problem)),
      world_(std::move(world)),
      shares_(shares == 0 ? world_->size() : shares),
      fixed_(shares > 0),
      examples_(this->problem().abilities().divisible_examples) {
  const std::int64_t fewest = std::min(examples_.train, examples_.valid);
  require(
      fewest > 0,
      "the examples of its minibatches cannot be divided: its losses are no "
      "means over examples that each count by themselves (batch_norm, for "
      "one, looks at all of them); start one rank, without \"shares\"");
  require(
      fewest >= shares_,
      "the {} examples of a minibatch cannot be divided into {} parts; start "
      "fewer ranks or take fewer \"shares\", or make minibatches larger",
      fewest, shares_);
  if (!fixed_) return;
  require(can_share(shares, *world_),
          "{} is not a power of two that {} ranks divide evenly", shares,
          world_->size());
  world_ = std::make_shared<PairwiseWorld>(world_);
}

ProblemAbilities DataParallel::abilities() const {
  ProblemAbilities out = ProblemDecorator::abilities();
  out.groups = out.gradient_by_formula = false;
  return out;
}

DataParallel::Work DataParallel::work(std::int64_t examples,
                                      const Draw& draw) const {
  Work out{draw.on_this_rank ? alone() : world_, {}};
  if (draw.on_this_rank && !fixed_) {
    out.parts.push_back({0, examples});
    return out;
  }
  const Division own(shares_, *out.world);
  for (std::int64_t s = own.first; s < own.first + own.count; ++s) {
    const Division part(examples, s, shares_);
    out.parts.push_back({part.first, part.count});
  }
  return out;
}

template <class F>
void DataParallel::Work::each_share(const Passage& passage, const Draw& draw,
                                    F&& f) const {
  std::vector<Passage> shares = passage.into_shares(world, parts.size());
  for (std::size_t k = 0; k < parts.size(); ++k) {
    Draw own = draw;
    own.part = parts[k];
    f(shares[k], own);
  }
}

Tensor DataParallel::together(Loss loss, std::int64_t examples,
                              const ParameterSet& weights,
                              const ParameterSet& hyper,
                              const Draw& draw) const {
  Passage passage;
  passage.add(weights);
  passage.add(hyper);
  if (draw.response != nullptr) passage.add(*draw.response);
  const Work shared = work(examples, draw);
  std::vector<Tensor> losses;
  shared.each_share(passage, draw, [&](Passage& share, Draw& own) {
    const ParameterSet w = share.take(weights);
    ParameterSet h = share.take(hyper);
    RowResponse response;
    if (draw.response != nullptr) {
      const auto of_own_examples = [&](const Tensor& t) {
        return t.narrow(0, own.part.first, own.part.count);
      };
      response = share.take(*draw.response);
      response.displacement = of_own_examples(response.displacement);
      h = h.map(of_own_examples);
      own.response = &response;
    }
    losses.push_back(fraction(own.part, examples) *
                     (problem().*loss)(w, h, own));
  });
  return sum_over_ranks(shared.world, losses);
}

Tensor DataParallel::train_loss(const ParameterSet& weights,
                                const ParameterSet& hyper,
                                const Draw& draw) const {
  return together(&BilevelProblem::train_loss, examples_.train, weights, hyper,
                  draw);
}

Tensor DataParallel::valid_loss(const ParameterSet& weights,
                                const ParameterSet& hyper,
                                const Draw& draw) const {
  return together(&BilevelProblem::valid_loss, examples_.valid, weights, hyper,
                  draw);
}

ParameterSet DataParallel::train_gradient(const ParameterSet& weights,
                                          const ParameterSet& hyper,
                                          const Draw& draw) const {
  const Tape tape = at::GradMode::is_enabled() ? Tape::kOn : Tape::kOff;
  Passage passage;
  passage.add(weights);
  passage.add(hyper);
  const Work shared = work(examples_.train, draw);
  std::vector<std::vector<Tensor>> gradients;
  shared.each_share(passage, draw, [&](Passage& share, const Draw& own) {
    const ParameterSet w = share.take(weights);
    const ParameterSet h = share.take(hyper);
    gradients.push_back((fraction(own.part, examples_.train) *
                         nestgrad::train_gradient(problem(), w, h, own, tape))
                            .tensors());
  });
  return weights.with(summed(shared.world, sums_of(gradients)));
}

Tensor DataParallel::outputs(const ParameterSet& weights,
                             const ParameterSet& hyper,
                             const Draw& draw) const {
  Passage passage;
  passage.add(weights);
  passage.add(hyper);
  const Work shared = work(examples_.train, draw);
  // With particles, examples are the second axis.
  const std::int64_t axis = draw.particles > 0 ? 1 : 0;
  std::vector<Tensor> rows;
  shared.each_share(passage, draw, [&](Passage& share, const Draw& own) {
    const ParameterSet w = share.take(weights);
    const ParameterSet h = share.take(hyper);
    rows.push_back(problem().outputs(w, h, own));
  });
  // Those of other ranks are zero, so that the sum over ranks is all of them.
  const auto zeros = [&](std::int64_t n) {
    std::vector<std::int64_t> sizes = rows.front().sizes().vec();
    sizes[static_cast<std::size_t>(axis)] = n;
    return rows.front().new_zeros(sizes);
  };
  const BatchPart& last = shared.parts.back();
  const std::int64_t end = last.first + last.count;
  rows.insert(rows.begin(), zeros(shared.parts.front().first));
  rows.push_back(zeros(examples_.train - end));
  return sum_over_ranks(shared.world, {at::cat(rows, axis)});
}

Tensor DataParallel::output_loss(const Tensor& outputs,
                                 const ParameterSet& hyper,
                                 const Draw& draw) const {
  Passage passage;
  passage.add(outputs);
  passage.add(hyper);
  const Work shared = work(examples_.train, draw);
  const std::int64_t axis = draw.particles > 0 ? 1 : 0;
  std::vector<Tensor> losses;
  shared.each_share(passage, draw, [&](Passage& share, const Draw& own) {
    const Tensor rows =
        share.take().narrow(axis, own.part.first, own.part.count);
    losses.push_back(fraction(own.part, examples_.train) *
                     problem().output_loss(rows, share.take(hyper), own));
  });
  return sum_over_ranks(shared.world, losses);
}

double division_error(const BilevelProblem& problem,
                      const ParameterSet& weights, const ParameterSet& hyper) {
  constexpr std::int64_t kExamples = 8;
  const std::int64_t n =
      std::min(kExamples, problem.abilities().divisible_examples.train);
  const auto gradient_of = [&](std::int64_t first, std::int64_t count) {
    Draw draw{0, Key(1)};
    draw.part = {first, count};
    return train_gradient(problem, weights, hyper, draw, Tape::kOff);
  };
  const std::int64_t half = n / 2;
  if (half == 0) return 0;
  const ParameterSet whole = gradient_of(0, n);
  const auto weight = [n](std::int64_t count) {
    return static_cast<double>(count) / static_cast<double>(n);
  };
  const ParameterSet halves = weight(half) * gradient_of(0, half) +
                              weight(n - half) * gradient_of(half, n - half);
  const double size = length(whole);
  return size > 0 ? length(halves - whole) / size : length(halves);
}

}  // namespace nestgrad
