#include <ATen/ATen.h>

#include <cmath>

#include "core/tensor/key.h"
#include "hypergrad/self_tuning/response.h"

namespace nestgrad {
namespace {

/// One number for each row of each weight tensor, the structured response of
/// MacKay et al. 2019: shift = diag(G u) R. R starts like weights do or, where
/// these start at zero, normal with deviation 1 / sqrt(columns); G starts at
/// zero. About as many numbers again as there are weights.
class Rows : public Response {
 public:
  explicit Rows(const Config&) {}

  static Schema schema() {
    return Schema(
        "Each row of each weight tensor (the weights of one unit or channel) "
        "moves along a direction that is learned, by an amount that is linear "
        "in the hyperparameters. Twice as many numbers as weights.");
  }

  ParameterSet initial(const ParameterSet& spare, std::int64_t hypers,
                       const Key& key) const override {
    ParameterSet map;
    for (std::size_t i = 0; i < spare.size(); ++i) {
      const Tensor& w = spare.tensors()[i];
      // From zero times zero nothing would ever move.
      const bool zero = w.count_nonzero().item<std::int64_t>() == 0;
      const double columns =
          static_cast<double>(w.numel()) / static_cast<double>(row_count(w));
      map.insert(
          "slope/" + spare.name(i),
          zero ? key.fold(spare.name(i)).normal(w) / std::sqrt(columns) : w);
    }
    map.append("gate/", spare.map([&](const Tensor& w) {
      return at::zeros({row_count(w), hypers}, w.options());
    }));
    return map;
  }

  ParameterSet shift(const ParameterSet& map, const ParameterSet& weights,
                     const Tensor& u) const override {
    const RowResponse response = *rows(map, u);
    std::vector<Tensor> out;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const Tensor& slope = response.slopes[i];
      std::vector<std::int64_t> sizes(static_cast<std::size_t>(slope.dim()), 1);
      if (!sizes.empty()) sizes[0] = slope.size(0);
      out.push_back(slope * at::mv(response.gates[i], u).view(sizes));
    }
    return weights.with(std::move(out));
  }

  std::optional<RowResponse> rows(const ParameterSet& map,
                                  const Tensor& u) const override {
    return RowResponse{map.subset("slope/").tensors(),
                       map.subset("gate/").tensors(), u};
  }

 private:
  static std::int64_t row_count(const Tensor& w) {
    return w.dim() == 0 ? 1 : w.size(0);
  }
};

/// Any matrix of low rank: shift = U V u, over all weights as one vector. U
/// starts normal with deviation 1 / sqrt(rank), V at zero.
class LowRank : public Response {
 public:
  explicit LowRank(const Config& config) : rank_(config.integer("rank")) {}

  static Schema schema() {
    return Schema(
               "All weights as one vector move in a space of a few dimensions "
               "that is learned. `rank` times as many numbers as weights.")
        .integer("rank", 4, "Dimensions of that space.", at_least(1));
  }

  ParameterSet initial(const ParameterSet& spare, std::int64_t hypers,
                       const Key& key) const override {
    const Tensor flat = spare.flatten();
    const double deviation = 1 / std::sqrt(static_cast<double>(rank_));
    return {{"directions",
             deviation * key.normal(flat.new_empty({flat.numel(), rank_}))},
            {"gates", flat.new_zeros({rank_, hypers})}};
  }

  ParameterSet shift(const ParameterSet& map, const ParameterSet& weights,
                     const Tensor& u) const override {
    return weights.unflatten(
        at::mv(map.at("directions"), at::mv(map.at("gates"), u)));
  }

 private:
  std::int64_t rank_;
};

/// Any matrix at all: shift = J u, over all weights as one vector. J starts at
/// zero. For small models.
class Affine : public Response {
 public:
  explicit Affine(const Config&) {}

  static Schema schema() {
    return Schema(
        "Every weight is an affine function of the hyperparameters; one number "
        "for each pair of the two, so for small models.");
  }

  ParameterSet initial(const ParameterSet& spare, std::int64_t hypers,
                       const Key&) const override {
    const Tensor flat = spare.flatten();
    return {{"jacobian", flat.new_zeros({flat.numel(), hypers})}};
  }

  ParameterSet shift(const ParameterSet& map, const ParameterSet& weights,
                     const Tensor& u) const override {
    return weights.unflatten(at::mv(map.at("jacobian"), u));
  }
};

NESTGRAD_REGISTER(ResponseRegistry, "rows", Rows)
NESTGRAD_REGISTER(ResponseRegistry, "low_rank", LowRank)
NESTGRAD_REGISTER(ResponseRegistry, "affine", Affine)

}  // namespace
}  // namespace nestgrad
