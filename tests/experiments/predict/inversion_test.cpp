#include "experiments/predict/inversion.h"

#include <ATen/ATen.h>

#include "tests/support/program.h"
#include "tests/support/shipped_configs.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

/// y = (s x_1, x_2), whose singular values are s and 1.
class Scaled : public Model {
 public:
  explicit Scaled(double s) : s_(at::tensor({s, 1.}, float64())) {}
  ParameterSet initial_weights(const Key&) const override {
    return {{"one", at::ones({}, float64())}};
  }
  Tensor apply(const Weights& weights, const Tensor& input,
               const Pass&) const override {
    return weights.tensor(0) * s_ * input;
  }
  Tensor inverse(const Weights& weights, const Tensor& outputs,
                 const Pass&) const override {
    return outputs / s_ / weights.tensor(0);
  }

 private:
  Tensor s_;
};

}  // namespace

TEST_CASE("the report of an inverse has singular values and errors",
          "[invertible]") {
  const Scaled model(0.001);
  const ParameterSet w = model.initial_weights(Key());
  const Tensor x = Key(1).normal(at::empty({7, 2}, float64()));
  const Inversion found = inversion_at("points", model, w, {}, x);
  CHECK(found.examples == 7);
  CHECK(found.stretch == Approx(1));
  CHECK(found.inverse_stretch == Approx(1000));
  CHECK(found.largest_error < 1e-14);
  // What is multiplied by zero does not come back.
  const Inversion lost = inversion_at("points", Scaled(0), w, {}, x);
  CHECK(std::isinf(lost.largest_error));
  CHECK(std::isinf(lost.inverse_stretch));
  CHECK(!InversionReport{{found, lost}, 1e-3}.accurate());
  CHECK(InversionReport{{found}, 1e-3}.accurate());
}

TEST_CASE(
    "an inverse that explodes out of distribution is found, and that of "
    "the regularized network is not",
    "[invertible]") {
  const TemporaryFolder folder;
  Json config =
      shipped_config(NESTGRAD_SOURCE_DIR "/configs/invertible_affine.json");
  config["outer"]["steps"] = 20;
  const auto report = [&](const std::string& name) {
    folder.write(name + ".json", config.dump());
    REQUIRE(program(folder.path("."),
                    fmt::format("run {0}.json --out {0} -qq", name))
                .code == 0);
    const Ended ended =
        program(folder.path("."), fmt::format("inverse {} --json", name));
    const Json json = Json::parse(ended.output);
    CHECK(ended.code == (json["accurate"].get<bool>() ? 0 : 4));
    return json;
  };
  Json& layer = config["problem"]["model"]["layers"][0];
  Json& penalty = config["hyperparameters"]["inverse_penalty"]["initial"];
  penalty = 1e-12;
  layer["reach"] = 0;
  const Json exploding = report("exploding");
  CHECK(exploding["inputs"][0]["largest_error"].get<double>() < 1e-3);
  CHECK(exploding["inputs"][1]["inverse_stretch"].get<double>() > 1e5);
  CHECK(!exploding["accurate"].get<bool>());
  penalty = 1e-4;
  layer["reach"] = 10;
  const Json regular = report("regular");
  CHECK(regular["accurate"].get<bool>());
  CHECK(regular["inputs"][1]["inverse_stretch"].get<double>() < 1e3);
  // A network with other layers.
  config["problem"]["model"] = {{"type", "mlp"}};
  config["hyperparameters"] = {
      {"weight_decay", {{"initial", 1e-4}, {"tuned", false}}}};
  folder.write("mlp.json", config.dump());
  program(folder.path("."), "run mlp.json --out mlp -qq --set outer.steps=1");
  const Ended refused = program(folder.path("."), "inverse mlp");
  CHECK(refused.code == 2);
  CHECK_THAT(refused.output, ContainsSubstring("cannot be undone"));
}

}  // namespace nestgrad
