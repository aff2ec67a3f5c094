// Samplers that are tuned for a reward.

#include <ATen/ATen.h>

#include <cmath>

#include "core/storage/safetensors.h"
#include "core/tensor/autodiff.h"
#include "experiments/problems/diffusion/denoiser.h"
#include "experiments/problems/diffusion/low_rank.h"
#include "experiments/problems/diffusion/reward.h"
#include "experiments/setup/experiment.h"
#include "tests/kit/derivatives.h"
#include "tests/kit/numbers.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

constexpr std::int64_t kSamplerSteps = 6;

Json pulled_to_a_point(const Json& more = Json::object()) {
  Json problem = {
      {"type", "diffusion"},
      {"data", {{"type", "gaussian_clusters"}, {"examples", 300}}},
      {"model", {{"type", "mlp"}, {"hidden", {16}}}},
      {"pretraining", {{"steps", 200}, {"lr", 0.01}}},
      {"reward", {{"type", "region"}, {"center", {2, 1}}, {"radius", 0.2}}},
      {"steps", kSamplerSteps},
      {"samples", 20}};
  problem.update(more);
  return problem;
}

Experiment sampler(const Json& problem) {
  const Json config = {{"precision", "float64"},
                       {"problem", problem},
                       {"hyperparameters", {{"network", Json::object()}}},
                       {"inner", {{"type", "sgd"}, {"lr", 1}}},
                       {"estimator",
                        {{"type", "unrolled"},
                         {"window", kSamplerSteps},
                         {"horizon", kSamplerSteps},
                         {"starts", 0}}}};
  return Experiment(Config(complete(experiment_schema(), config)));
}

/// The gradient through the last `last` steps of the sampler (0: all), from
/// start number `start`.
ParameterSet through_the_last(const Experiment& experiment, std::int64_t last,
                              std::uint64_t start = 0) {
  const auto method = experiment.make_estimator(Config(
      complete(EstimatorRegistry::instance(), Json{{"type", "unrolled"},
                                                   {"window", kSamplerSteps},
                                                   {"horizon", kSamplerSteps},
                                                   {"starts", 0},
                                                   {"last", last}})));
  method->begin(experiment.initial_hyper(), Key(start));
  return method->estimate(experiment.initial_hyper()).gradient;
}

double cosine_of(const ParameterSet& a, const ParameterSet& b) {
  return (dot(a, b) / (norm(a) * norm(b))).item<double>();
}

SampledData some_points() {
  const Tensor x = Key(1).normal(at::empty({60, 2}, float64()));
  return {{x, (x.select(1, 0) > 0).to(at::kLong), 2}, {2}};
}

std::unique_ptr<Reward> reward(const Json& json, const SampledData& data) {
  return RewardRegistry::instance().make(json, data, Key(1));
}

SampledData some_images() {
  return {{Key(1).normal(at::empty({3, 64}, float64()))}, {1, 8, 8}};
}

}  // namespace

TEST_CASE("a step of the sampler is that of the predicted example and noise",
          "[diffusion]") {
  const Denoiser denoiser(
      Config(complete(ModelRegistry::instance(), Json{{"type", "logistic"}})),
      2, float64());
  const ParameterSet zero = denoiser.initial_weights(Key(1)).zeros();
  const Tensor x = Key(2).normal(at::empty({5, 2}, float64()));
  // With the velocity 0 vectors become shorter, with b they turn towards it.
  const double angle = 0.3 * M_PI / 2;
  CHECK(at::allclose(denoiser.step(zero, x, 0.7, 0.4), std::cos(angle) * x,
                     1e-12, 1e-12));
  const Tensor b = at::tensor({0.5, -2.}, float64());
  ParameterSet constant;
  for (std::size_t i = 0; i < zero.size(); ++i) {
    const Tensor& t = zero.tensors()[i];
    constant.insert(zero.name(i), t.dim() == 1 ? b : t);
  }
  CHECK(at::allclose(denoiser.step(constant, x, 0.7, 0.4),
                     std::cos(angle) * x - std::sin(angle) * b, 1e-12, 1e-12));
}

TEST_CASE("samples of a trained denoiser imitate the data", "[diffusion]") {
  // Two clouds, around (-1, 1) and (1, 1).
  const Tensor e = Key(1).normal(at::empty({1000, 2}, float64()));
  const Tensor left = (at::arange(1000, float64()).remainder(2) * 2 - 1);
  const Tensor x = 0.2 * e + at::stack({left, at::ones_like(left)}, 1);
  const Denoiser denoiser(
      Config(complete(ModelRegistry::instance(),
                      Json{{"type", "mlp"}, {"hidden", {64, 64}}})),
      2, float64());
  const ParameterSet w =
      denoiser.trained_on(Dataset{x}, 128, {1500, 0.005}, Key(3));
  const at::NoGradGuard no_tape;
  Tensor sample = Key(4).normal(at::empty({1000, 2}, float64()));
  for (int k = 0; k < 20; ++k) {
    sample = denoiser.step(w, sample, 1 - k / 20., 1 - (k + 1) / 20.);
  }
  CHECK(sample.select(1, 1).mean().item<double>() == Approx(1).margin(0.1));
  CHECK(sample.select(1, 1).std().item<double>() < 0.4);
  const Tensor first = sample.select(1, 0);
  CHECK((first > 0).to(at::kDouble).mean().item<double>() ==
        Approx(0.5).margin(0.1));
  CHECK((first.abs() > 0.5).to(at::kDouble).mean().item<double>() > 0.9);
}

TEST_CASE("rewards are their formulas", "[diffusion]") {
  const auto region =
      reward(Json{{"type", "region"}, {"center", {1, 2}}, {"radius", 0.5}},
             some_points());
  const Tensor x =
      at::tensor({1., 2., 1.2, 2.1, 4., 6.}, float64()).view({3, 2});
  CHECK(
      at::allclose(region->of(x), at::tensor({0., 0., -4.5 * 4.5}, float64())));

  const auto compress =
      reward(Json{{"type", "compressibility"}}, some_images());
  const Tensor flat = at::full({1, 64}, 0.7, float64());
  CHECK(compress->of(flat).abs().item<double>() < 1e-12);
  // One coefficient of each of the four blocks is 3, of 15 that are counted.
  const Tensor column =
      ((at::arange(8, float64()).remainder(4) + 0.5) * (2 * M_PI / 4)).cos();
  const Tensor waves = 3 * std::sqrt(0.5) * 0.5 * column.expand({8, 8});
  CHECK(compress->of(waves.reshape({1, 64})).item<double>() ==
        Approx(-3. / 15));

  const auto classifier =
      reward(Json{{"type", "classifier"}, {"class", 1}, {"steps", 300}},
             some_points());
  const Dataset examples = some_points().examples;
  const Tensor r = classifier->of(examples.inputs);
  CHECK((r <= 0).all().item<bool>());
  const Tensor right = (r > std::log(0.5)) == (examples.targets == 1);
  CHECK(right.to(at::kDouble).mean().item<double>() > 0.9);
}

TEST_CASE("derivatives of rewards equal central differences", "[diffusion]") {
  const auto judge = [](const Json& json, const SampledData& data) {
    CAPTURE(json.dump());
    const auto made = reward(json, data);
    testing::Findings findings;
    testing::judge_derivatives(
        findings, "the reward",
        [&](const ParameterSet& at) { return made->of(at.at("x")).sum(); },
        {{"x", 1.3 * data.examples.inputs}}, true, 1e-6);
    CHECK(findings.take().empty());
  };
  judge({{"type", "region"}, {"center", {1, 2}}, {"radius", 0.1}},
        some_points());
  judge({{"type", "classifier"}, {"class", 1}, {"steps", 20}}, some_points());
  judge({{"type", "compressibility"}}, some_images());
}

TEST_CASE(
    "the gradient through the last steps of a sampler approaches that through "
    "all of them",
    "[diffusion]") {
  const Experiment experiment = sampler(pulled_to_a_point());
  const ParameterSet all = through_the_last(experiment, 0);
  double before = 0;
  for (std::int64_t last = 1; last <= kSamplerSteps; ++last) {
    const double now = cosine_of(through_the_last(experiment, last), all);
    CAPTURE(last, now);
    CHECK(now > before);
    before = now;
  }
  CHECK(before == Approx(1).epsilon(1e-12));
}

TEST_CASE("samples that are noised anew make the gradient less random",
          "[diffusion]") {
  const auto deviation = [](std::int64_t renoised) {
    const Experiment experiment =
        sampler(pulled_to_a_point({{"renoised", renoised}, {"samples", 4}}));
    constexpr int kStarts = 40;
    ParameterSet mean = experiment.initial_hyper().zeros();
    double squares = 0;
    for (std::uint64_t start = 0; start < kStarts; ++start) {
      const ParameterSet g = through_the_last(experiment, 1, start);
      mean = add(mean, 1. / kStarts, g);
      squares += dot(g, g).item<double>() / kStarts;
    }
    return std::sqrt(squares / dot(mean, mean).item<double>() - 1);
  };
  CHECK(deviation(4) < deviation(0));
}

TEST_CASE("a sample counts as a constant where it is noised anew",
          "[diffusion]") {
  const auto by_state = [](std::int64_t renoised) {
    const Experiment made =
        sampler(pulled_to_a_point({{"renoised", renoised}}));
    const ParameterSet hyper = made.initial_hyper();
    const ParameterSet state =
        made.problem().initial_weights(hyper, Key(1)).leaves();
    return gradient(made.problem().valid_loss(state, hyper, Draw()), state);
  };
  // One of three samples is the one that training has led to.
  CHECK(relative_error(3. * by_state(2), by_state(0)) < 1e-12);
}

TEST_CASE("an update of low rank begins at the weights and is B A",
          "[diffusion]") {
  const ParameterSet base = {{"w", Key(1).normal(at::empty({3, 2}, float64()))},
                             {"b", at::ones({3}, float64())}};
  const LowRank update(base, 1, 4);
  CHECK(
      at::equal(update.updated(update.initial(Key(1))).at("w"), base.at("w")));
  const Tensor a = at::tensor({1., 2.}, float64()),
               b = at::tensor({3., 4., 5.}, float64());
  const ParameterSet moved = update.updated(at::cat({a, b}));
  CHECK(at::allclose(moved.at("w"), base.at("w") + 4 * at::outer(b, a)));
  CHECK(at::equal(moved.at("b"), base.at("b")));

  const auto start = [](std::int64_t rank) {
    const Experiment made = sampler(pulled_to_a_point({{"rank", rank}}));
    return made.problem().evaluate({}, made.initial_hyper()).at("reward");
  };
  CHECK(start(0) == start(2));
}

TEST_CASE("a second reward is reported", "[diffusion]") {
  const Json other = {{"type", "region"}, {"center", {-1, 0}}, {"radius", 1}};
  const Experiment made = sampler(pulled_to_a_point({{"other_reward", other}}));
  const ParameterSet hyper = made.initial_hyper();
  const Metrics metrics = made.problem().evaluate({}, hyper);
  const Tensor samples = made.problem().samples(hyper, 512);
  CHECK(
      metrics.at("other_reward") ==
      Approx(reward(other, some_points())->of(samples).mean().item<double>()));
  CHECK(metrics.at("reward") == -metrics.at("valid_loss"));
  CHECK(metrics.at("reward") != metrics.at("other_reward"));
}

TEST_CASE("samples are in the units of the data source", "[diffusion]") {
  // Standardized examples are of the size of 1.
  const Json data = {{"type", "gaussian_clusters"},
                     {"examples", 300},
                     {"spread", 5},
                     {"classes", 2},
                     {"standardize", true}};
  const Experiment made = sampler(pulled_to_a_point({{"data", data}}));
  const Tensor samples = made.problem().samples(made.initial_hyper(), 200);
  REQUIRE(samples.sizes() == at::IntArrayRef({200, 2}));
  CHECK(samples.std().item<double>() > 2);
}

TEST_CASE("a denoiser can begin between the updates of two runs",
          "[diffusion]") {
  const TemporaryFolder folder;
  const Json low = {{"rank", 1}};
  const Experiment plain = sampler(pulled_to_a_point(low));
  const Tensor start = plain.initial_hyper().at("network");
  const auto reward_at = [&](const Tensor& numbers) {
    return plain.problem()
        .evaluate({}, plain.initial_hyper().with({numbers}))
        .at("reward");
  };
  const Tensor moved = start + 0.1 * Key(1).normal(start);
  save_safetensors(folder.path("a"), {{"network", moved}});
  save_safetensors(folder.path("b"), {{"network", start}});
  const auto between = [&](double share, const char* second = "b") {
    Json more = low;
    more["interpolation"] = {{"first", folder.path("a")},
                             {"second", folder.path(second)},
                             {"share", share}};
    const Experiment made = sampler(pulled_to_a_point(more));
    return made.problem().evaluate({}, made.initial_hyper()).at("reward");
  };
  CHECK(between(1) == Approx(reward_at(moved)));
  CHECK(between(0) == Approx(reward_at(start)));
  CHECK(between(0.5) != Approx(between(0)));
  save_safetensors(folder.path("c"), {{"network", at::ones({3})}});
  CHECK_THROWS_WITH(between(0.5, "c"), ContainsSubstring("of 3 numbers"));
  CHECK_THROWS_WITH(between(0.5, "d"), ContainsSubstring("/second"));
}

TEST_CASE("what a sampler cannot be made of is told", "[diffusion]") {
  const auto complaint = [](const Json& more) -> std::string {
    try {
      sampler(pulled_to_a_point(more));
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "none";
  };
  CHECK_THAT(complaint({{"shrink", 2}}),
             ContainsSubstring("/shrink: is for images"));
  CHECK_THAT(complaint({{"reward", "compressibility"}}),
             ContainsSubstring("expects images of at least 4 x 4 pixels"));
  CHECK_THAT(complaint({{"reward", {{"type", "region"}, {"center", {1}}}}}),
             ContainsSubstring("must have 2 numbers, as examples have; has 1"));
  CHECK_THAT(complaint({{"reward", {{"type", "classifier"}, {"class", 3}}}}),
             ContainsSubstring("must be below 3, the number of classes; is 3"));
  CHECK_THAT(
      complaint({{"data", {{"type", "copy_task"}}}}),
      ContainsSubstring("/data: must have inputs that are real numbers"));
}

}  // namespace nestgrad
