#include "core/platform/batched_product.h"

#include <ATen/Parallel.h>

#include "core/nn/model.h"
#include "core/particles.h"
#include "core/platform/blas.h"
#include "core/tensor/autodiff.h"
#include "core/tensor/key.h"
#include "tests/kit/bench.h"
#include "tests/support/support.h"
#include "tests/support/threads.h"

namespace nestgrad {
namespace {

Tensor normal(std::uint64_t key, at::IntArrayRef sizes,
              at::ScalarType type = at::kDouble) {
  return Key(key).normal(at::empty(sizes, float64())).to(type);
}

/// [3, rows, columns], as it may lie in memory.
std::vector<std::pair<std::string, Tensor>> layouts(std::uint64_t key,
                                                    std::int64_t rows,
                                                    std::int64_t columns,
                                                    at::ScalarType type) {
  return {
      {"row by row", normal(key, {3, rows, columns}, type)},
      {"column by column",
       normal(key, {3, columns, rows}, type).transpose(1, 2)},
      {"one for all",
       normal(key, {rows, columns}, type).expand({3, rows, columns})},
      {"part of rows",
       normal(key, {3, rows, columns + 2}, type).narrow(2, 1, columns)},
      {"part of columns", normal(key, {3, columns, rows + 2}, type)
                              .narrow(2, 1, rows)
                              .transpose(1, 2)},
      {"particles last",
       normal(key, {rows, columns, 3}, type).permute({2, 0, 1})},
      {"one number", normal(key, {1, 1, 1}, type).expand({3, rows, columns})}};
}

}  // namespace

TEST_CASE("a batched product is that of each pair in every layout",
          "[batched_product]") {
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    for (const auto [rows, inner, columns] :
         {std::array<std::int64_t, 3>{4, 5, 6}, {1, 5, 1}, {1, 1, 1}}) {
      for (const auto& [a_layout, a] : layouts(1, rows, inner, type)) {
        for (const auto& [b_layout, b] : layouts(2, inner, columns, type)) {
          CAPTURE(type, rows, inner, columns, a_layout, b_layout);
          const Tensor out = batched_product(a, b);
          REQUIRE(out.sizes() == at::IntArrayRef({3, rows, columns}));
          CHECK(out.scalar_type() == type);
          for (std::int64_t i = 0; i < 3; ++i) {
            const Tensor truth = (a[i].unsqueeze(2) * b[i].unsqueeze(0)).sum(1);
            CHECK(at::allclose(out[i], truth, /*rtol=*/1e-5, /*atol=*/1e-6));
          }
        }
      }
    }
  }
  // An axis of one may have the stride 0.
  const Tensor two = at::full({}, 2, float64()).expand({1, 1, 1});
  CHECK(batched_product(two, two).item<double>() == 4);
  const Tensor column =
      at::ones({3}, float64()).as_strided({1, 3, 1}, {3, 1, 0});
  CHECK(batched_product(column.transpose(1, 2), column).item<double>() == 3);
  // Without numbers in between the sum is zero.
  const Tensor none = at::zeros({2, 3, 0}, float64());
  CHECK(
      batched_product(none, none.transpose(1, 2)).abs().sum().item<double>() ==
      0);
  CHECK_THROWS(batched_product(at::zeros({2, 3, 4}), at::zeros({2, 5, 6})));
  CHECK_THROWS(
      batched_product(at::zeros({2, 3, 4}), at::zeros({2, 4, 6}, at::kDouble)));
}

TEST_CASE("derivatives of a batched product are right, and theirs",
          "[batched_product]") {
  for (const auto& [a_layout, a_view] : layouts(3, 4, 5, at::kDouble)) {
    for (const auto& [b_layout, b_view] : layouts(4, 5, 6, at::kDouble)) {
      CAPTURE(a_layout, b_layout);
      const ParameterSet leaves =
          ParameterSet{{"a", a_view}, {"b", b_view}}.leaves();
      const Tensor factor = normal(5, {3, 4, 6});
      const ParameterSet direction = ParameterSet{{"a", normal(6, {3, 4, 5})},
                                                  {"b", normal(7, {3, 5, 6})}};
      const auto both = [&](auto&& product) {
        const Tensor y = product(leaves.at("a"), leaves.at("b"));
        const ParameterSet g =
            gradient((factor * y * y).sum(), leaves, Tape::kOn);
        return std::pair{g.detach(), gradient(dot(g, direction), leaves)};
      };
      const auto [first, second] = both(batched_product);
      const auto [bmm_first, bmm_second] =
          both([](const Tensor& a, const Tensor& b) { return at::bmm(a, b); });
      CHECK(relative_error(first, bmm_first) < 1e-12);
      CHECK(relative_error(second, bmm_second) < 1e-12);
    }
  }
}

TEST_CASE("the gradient of a matrix lies in memory as the matrix does",
          "[batched_product]") {
  const ParameterSet leaves =
      ParameterSet{{"w", normal(1, {3, 4, 5})}}.leaves();
  const Tensor x = normal(2, {3, 2, 5});
  const Tensor y = batched_product(x, leaves.at("w").transpose(1, 2));
  const Tensor g = gradient(y.square().sum(), leaves).at("w");
  CHECK(g.strides() == leaves.at("w").strides());
}

TEST_CASE("operators are split as long as it is asked for", "[threads]") {
  const bool own = blas_parallel() == 1;
  const auto as_settled = [&] {
    return at::get_num_threads() == (own ? 1 : 2) &&
           (!own || blas_threads() == 2);
  };
  const Threads two(2);
  CHECK(as_settled());
  {
    const SplitOperators small(1000);
    CHECK(as_settled());
  }
  {
    const SplitOperators outer(1 << 20);
    CHECK(at::get_num_threads() == 2);
    if (own) CHECK(blas_threads() == 1);
    { const SplitOperators inner(1 << 20); }
    CHECK(at::get_num_threads() == 2);
  }
  CHECK(as_settled());
}

TEST_CASE("networks with large convolutions get the threads of BLAS",
          "[threads]") {
  const bool own = blas_parallel() == 1;
  const auto run = [](const Json& model, std::int64_t examples) {
    const Shape images{1, 28, 28};
    const auto network = ModelRegistry::instance().make(model, images, {10});
    const ParameterSet weights = network->initial_weights(Key(1)).leaves();
    const Tensor y = network->forward(
        weights, normal(2, {examples, 1, 28, 28}).to(at::kFloat),
        Pass::evaluation_as(Draw(), {}));
    gradient(y.square().sum(), weights);
  };
  const auto threads = [] {
    return std::pair{at::get_num_threads(), blas_threads()};
  };
  const std::pair of_blas{own ? 1 : 2, own ? 2 : blas_threads()},
      of_operators{2, own ? 1 : blas_threads()};
  const Json convnet{{"type", "convnet"}, {"width", 8}};
  const Json mlp{{"type", "mlp"}, {"hidden", {50}}};
  const Threads two(2);
  REQUIRE(threads_in_use() == 2);

  run(convnet, 50);
  CHECK(threads() == of_operators);
  run(convnet, 2);
  CHECK(threads() == of_blas);
  run(convnet, 50);
  run(mlp, 500);
  CHECK(threads() == of_blas);
  {
    const SplitOperators particles(1 << 20);
    run(mlp, 500);
    CHECK(threads() == of_operators);
    run(convnet, 50);
    CHECK(threads() == of_operators);
  }
  CHECK(threads() == of_blas);
  {
    run(convnet, 50);
    const SplitOperators particles(1 << 20);
  }
  CHECK(threads() == of_operators);
}

TEST_CASE("particles on two threads move as on one", "[threads]") {
  const std::shared_ptr<const BilevelProblem> natural =
      ProblemRegistry::instance().make(
          Json{{"type", "classification"},
               {"data", {{"type", "two_moons"}, {"train", 60}, {"valid", 60}}},
               {"batch", 20},
               {"model", {{"type", "mlp"}, {"hidden", {40, 40}}}}},
          {float64(), Key(2)});
  const Bench bench =
      with_rule(natural, at::scalar_tensor(1e-3, float64()),
                Json{{"type", "adam"}, {"lr", "$lr"}}, /*lr=*/0.01);
  constexpr std::int64_t kParticles = 100;
  const ParameterSet hyper = Key(4).normal(repeated(bench.hyper, kParticles)) +
                             repeated(bench.hyper, kParticles);
  const auto moved = [&](int threads) {
    const Threads settled(threads);
    const TrainState end = bench.loop->steps(
        bench.loop->start(hyper, Key(3), kParticles), 3, hyper, Key(3));
    Draw draw;
    draw.particles = kParticles;
    return ParameterSet{{"weights", end.weights.flatten()},
                        {"losses", valid_losses(*bench.loop->problem(),
                                                end.weights, hyper, draw)}};
  };
  const ParameterSet one = moved(1), two = moved(2);
  REQUIRE(one.numel() >= 1 << 17);
  CHECK(relative_error(two, one) < 1e-12);
}

}  // namespace nestgrad
