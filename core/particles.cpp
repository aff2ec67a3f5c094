#include "core/particles.h"

#include <ATen/ATen.h>

#include "core/platform/threads.h"
#include "core/tensor/sum.h"

namespace nestgrad {
namespace {

using Loss = Tensor (BilevelProblem::*)(const ParameterSet&,
                                        const ParameterSet&, const Draw&) const;

Tensor losses(const BilevelProblem& problem, Loss loss,
              const ParameterSet& weights, const ParameterSet& hyper,
              const Draw& draw) {
  if (draw.particles == 0) return (problem.*loss)(weights, hyper, draw);
  if (problem.abilities().particles) {
    const SplitOperators split(weights.numel());
    return (problem.*loss)(weights, hyper, draw);
  }
  Draw one = draw;
  one.particles = 0;
  std::vector<Tensor> out;
  for (std::int64_t i = 0; i < draw.particles; ++i) {
    const Tensor value =
        (problem.*loss)(particle(weights, i), particle(hyper, i), one);
    out.push_back(value.reshape({}));
  }
  return at::stack(out);
}

}  // namespace

Tensor repeated(const Tensor& one, std::int64_t particles) {
  std::vector<std::int64_t> sizes = one.sizes().vec();
  sizes.insert(sizes.begin(), particles);
  return one.expand(sizes);
}

ParameterSet repeated(const ParameterSet& one, std::int64_t particles) {
  return one.map([&](const Tensor& t) { return repeated(t, particles); });
}

ParameterSet particle(const ParameterSet& all, std::int64_t i) {
  return all.map([&](const Tensor& t) { return t.select(0, i); });
}

ParameterSet particles_of(const ParameterSet& all, std::int64_t first,
                          std::int64_t count) {
  return all.map([&](const Tensor& t) { return t.narrow(0, first, count); });
}

namespace {

/// Joins the tensors of each name by `join`.
template <class F>
ParameterSet joined(const std::vector<ParameterSet>& sets, F&& join) {
  const ParameterSet& first = sets.front();
  std::vector<Tensor> out;
  for (std::size_t i = 0; i < first.size(); ++i) {
    std::vector<Tensor> same;
    for (const ParameterSet& set : sets) same.push_back(set.tensors()[i]);
    out.push_back(join(same));
  }
  return first.with(std::move(out));
}

}  // namespace

ParameterSet stacked(const std::vector<ParameterSet>& particles) {
  return joined(particles,
                [](const std::vector<Tensor>& t) { return at::stack(t); });
}

ParameterSet concatenated(const std::vector<ParameterSet>& sets) {
  return joined(sets, [](const std::vector<Tensor>& t) { return at::cat(t); });
}

ParameterSet weighted_sum(const Tensor& factors, const ParameterSet& all) {
  return all.map([&](const Tensor& t) {
    return at::tensordot(factors.to(t.options()), t, {0}, {0});
  });
}

Tensor dots(const ParameterSet& all, const ParameterSet& one) {
  Tensor sum;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Tensor& t = all.tensors()[i];
    add_to(sum,
           at::mv(t.reshape({t.size(0), -1}), one.tensors()[i].reshape(-1)));
  }
  return sum;
}

Tensor along_first(const Tensor& numbers, const Tensor& like) {
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(like.dim()), 1);
  sizes[0] = numbers.numel();
  return numbers.reshape(sizes);
}

Tensor train_losses(const BilevelProblem& problem, const ParameterSet& weights,
                    const ParameterSet& hyper, const Draw& draw) {
  return losses(problem, &BilevelProblem::train_loss, weights, hyper, draw);
}

Tensor valid_losses(const BilevelProblem& problem, const ParameterSet& weights,
                    const ParameterSet& hyper, const Draw& draw) {
  return losses(problem, &BilevelProblem::valid_loss, weights, hyper, draw);
}

}  // namespace nestgrad
