#include "hypergrad/self_tuning/response_problem.h"

#include <ATen/ATen.h>

#include <optional>

#include "core/platform/error.h"
#include "core/tensor/autodiff.h"
#include "core/tensor/sum.h"

namespace nestgrad {
namespace {

/// Row i of `rows`, cut into a set alike to `layout`, for all i at once: each
/// tensor has the rows as its first dimension.
ParameterSet cut_rows(const Tensor& rows, const ParameterSet& layout) {
  std::int64_t first = 0;
  return layout.map([&](const Tensor& like) {
    std::vector<std::int64_t> sizes = like.sizes().vec();
    sizes.insert(sizes.begin(), rows.size(0));
    const Tensor part = rows.narrow(1, first, like.numel());
    first += like.numel();
    return part.reshape(sizes);
  });
}

}  // namespace

ResponseProblem::ResponseProblem(std::shared_ptr<const BilevelProblem> problem,
                                 std::shared_ptr<const Response> response,
                                 std::int64_t draws, bool per_example)
    : ProblemDecorator(std::move(problem)),
      response_(std::move(response)),
      draws_(draws) {
  // An empty map, since with too many hyperparameters a real one may not fit
  // into memory.
  if (per_example && response_->rows({}, Tensor())) {
    sizes_ = this->problem().abilities().responding_examples;
  }
}

ProblemAbilities ResponseProblem::abilities() const {
  ProblemAbilities out = problem().abilities();
  out.particles = out.groups = false;
  out.responding_examples = {};
  return out;
}

ParameterSet ResponseProblem::inner_hyper(const ParameterSet& hyper) const {
  ParameterSet out;
  for (std::size_t i = 0; i < hyper.size(); ++i) {
    if (hyper.name(i) == kDeviation) continue;
    out.insert(hyper.name(i), hyper.tensors()[i]);
  }
  return out;
}

ParameterSet ResponseProblem::initial_weights(const ParameterSet& hyper,
                                              const Key& key) const {
  const ParameterSet h = inner_hyper(hyper);
  ParameterSet weights;
  weights.append("base/", problem().initial_weights(h, key));
  const Key response_key = key.fold("response");
  weights.append("map/",
                 response_->initial(problem().initial_weights(h, response_key),
                                    h.numel(), response_key));
  return weights;
}

ParameterSet ResponseProblem::deployed(const ParameterSet& weights,
                                       const ParameterSet& hyper) const {
  const ParameterSet base = weights.subset("base/");
  const Tensor h = inner_hyper(hyper).flatten();
  return base + response_->shift(weights.subset("map/"), base,
                                 displacement(h, h.detach()));
}

Tensor ResponseProblem::with_noise(const ParameterSet& hyper, const Key& key,
                                   std::int64_t examples) const {
  const Tensor h = inner_hyper(hyper).flatten();
  const std::int64_t rows = per_example() ? examples : draws_;
  const Tensor noise = key.fold("noise")
                           .fold(noise_.bits())
                           .normal(h.new_empty({rows, h.numel()}));
  return h + hyper.at(kDeviation) * noise;
}

Tensor ResponseProblem::loss_at(Loss loss, const ParameterSet& base,
                                const ParameterSet& map,
                                const ParameterSet& layout, const Tensor& hyper,
                                const Tensor& u, Draw draw,
                                bool first_order) const {
  if (per_example()) {
    std::optional<RowResponse> response = response_->rows(map, u);
    response->first_order = first_order;
    draw.response = &*response;
    return (problem().*loss)(base, cut_rows(hyper, layout), draw);
  }
  Tensor sum;
  for (std::int64_t i = 0; i < u.size(0); ++i) {
    const ParameterSet shift = response_->shift(map, base, u[i]);
    Draw draw_of_row = draw;
    draw_of_row.key = draw.key.fold(static_cast<std::uint64_t>(i));
    add_to(sum, (problem().*loss)(
                    first_order ? base.zip(shift, with_tangent) : base + shift,
                    layout.unflatten(hyper[i]), draw_of_row));
  }
  return sum / static_cast<double>(u.size(0));
}

Tensor ResponseProblem::train_loss_at(const ParameterSet& base,
                                      const ParameterSet& map,
                                      const ParameterSet& layout,
                                      const Tensor& hyper, const Tensor& u,
                                      const Draw& draw, bool linear) const {
  std::optional<DualNumbers> dual;
  if (linear) dual.emplace();
  const Tensor loss = loss_at(&BilevelProblem::train_loss, base, map, layout,
                              hyper, u, draw, linear);
  if (linear && is_dual(loss)) {
    throw Unsupported(
        "the training loss of this problem does not take its outputs to first "
        "order (see RowResponse::first_order)");
  }
  return loss;
}

Tensor ResponseProblem::valid_loss_around(const Tensor& centre,
                                          const ParameterSet& weights,
                                          const ParameterSet& hyper,
                                          const Draw& draw) const {
  const Tensor h = with_noise(hyper, draw.key, sizes_.valid);
  return loss_at(&BilevelProblem::valid_loss, weights.subset("base/"),
                 weights.subset("map/"), inner_hyper(hyper), h,
                 displacement(h, centre), draw, /*first_order=*/false);
}

Tensor ResponseProblem::valid_loss(const ParameterSet& weights,
                                   const ParameterSet& hyper,
                                   const Draw& draw) const {
  return valid_loss_around(inner_hyper(hyper).flatten().detach(), weights,
                           hyper, draw);
}

}  // namespace nestgrad
