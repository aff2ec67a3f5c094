// Inputs that are whitened, and the way back.

#include <ATen/ATen.h>

#include <cstring>

#include "experiments/data/arrays/npz_file.h"
#include "experiments/data/saved_preparation.h"
#include "tests/support/data_support.h"
#include "tests/support/program.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

/// Images [90, 2, 3, 2] whose numbers are correlated and far from zero, the
/// last one constant.
Tensor correlated() {
  const Tensor mix = Key(3).normal(at::empty({12, 12}, float64()));
  Tensor x = Key(4).normal(at::empty({90, 12}, float64())).matmul(mix) + 7;
  x.select(1, 11).fill_(2.5);
  return x.view({90, 2, 3, 2});
}

Json images(const TemporaryFolder& folder, const Json& keys) {
  Json out = {
      {"type", "npy"},
      {"inputs", folder.write("x", npy_bytes(npy_header("<f8", "(90, 2, 3, 2)"),
                                             raw_bytes(correlated())))},
      {"targets",
       folder.write("y", npy_bytes(npy_header("<i8", "(90,)"),
                                   raw_bytes(at::arange(90).remainder(3))))}};
  out.update(keys);
  return out;
}

Splits whitening_splits(const Json& section,
                        const at::TensorOptions& options = float64()) {
  return load_splits(data_section(section), Key(1), options);
}

}  // namespace

TEST_CASE("whitened inputs are those of another program", "[whitening]") {
  const TemporaryFolder folder;
  const bool standardize = GENERATE(false, true);
  CAPTURE(standardize);
  const Json keys = {{"standardize", standardize}};
  const Splits before = whitening_splits(images(folder, keys));
  const Splits after = whitening_splits([&] {
    Json json = images(folder, keys);
    json["whiten"] = 0.1;
    return json;
  }());
  folder.write("train.bin", raw_bytes(before.train.inputs.contiguous()));
  folder.write("valid.bin", raw_bytes(before.valid.inputs.contiguous()));
  // By the singular values of the examples, without a covariance.
  folder.write("whiten.py", R"(
import numpy
train = numpy.fromfile('train.bin').reshape(-1, 12)
valid = numpy.fromfile('valid.bin').reshape(-1, 12)
mean = train.mean(0)
_, s, v = numpy.linalg.svd(train - mean, full_matrices=False)
variance = s ** 2 / len(train)
scale = 1 / numpy.sqrt(variance + 0.1 * variance.mean())
for name, x in (('train', train), ('valid', valid)):
    (((x - mean) @ v.T * scale) @ v).tofile(name + '.white')
)");
  const Ended ended = shell(folder.path(""), "/usr/bin/python3 whiten.py");
  CAPTURE(ended.output);
  REQUIRE(ended.code == 0);
  const auto expected = [&](const std::string& name, const Tensor& like) {
    const std::string bytes = read_file(folder.path(name + ".white"));
    Tensor out = at::empty(like.sizes(), float64());
    REQUIRE(bytes.size() == out.nbytes());
    std::memcpy(out.data_ptr(), bytes.data(), bytes.size());
    return out;
  };
  for (const auto& [name, part] :
       {std::pair<std::string, const Dataset*>{"train", &after.train},
        {"valid", &after.valid}}) {
    CHECK(at::allclose(part->inputs, expected(name, part->inputs), 1e-9, 1e-9));
  }
}

TEST_CASE(
    "numbers of whitened inputs are uncorrelated, and what is undone is "
    "what was read",
    "[whitening]") {
  const TemporaryFolder folder;
  const Json keys = {{"standardize", true}};
  const Splits plain = whitening_splits(images(folder, keys));
  Json json = images(folder, keys);
  json["whiten"] = 1e-9;
  const Splits white = whitening_splits(json);
  const Tensor z = white.train.inputs.flatten(1);
  CHECK(z.mean(0).abs().max().item<double>() < 1e-9);
  const Tensor covariance =
      z.t().matmul(z) / static_cast<double>(white.train.size());
  Tensor expected = at::eye(12, float64());
  expected[11][11] = 0;  // the constant
  CHECK(at::allclose(covariance, expected, 1e-5, 1e-5));
  for (const auto& [a, b] : {std::pair{&white.train, &plain.train},
                             std::pair{&white.test, &plain.test}}) {
    const Tensor source = plain.in_source_units(b->inputs);
    CHECK(at::allclose(white.in_source_units(a->inputs), source, 1e-6, 1e-6));
    CHECK(at::allclose(white.prepared(source), a->inputs, 1e-6, 1e-6));
  }
}

TEST_CASE("a preparation that whitens is saved and applied to new inputs",
          "[whitening]") {
  const TemporaryFolder folder;
  const at::ScalarType type = GENERATE(at::kFloat, at::kDouble);
  const bool standardize = GENERATE(false, true);
  CAPTURE(type, standardize);
  const Splits data = whitening_splits(
      images(folder, {{"whiten", 0.1}, {"standardize", standardize}}),
      at::TensorOptions(type));
  const Json json = Json::parse(Preparation::of(data).to_json().dump());
  const Preparation saved = Preparation::from_json(json);
  CHECK(saved.to_json() == json);
  const Tensor raw = data.in_source_units(data.test.inputs);
  const double rounding = type == at::kFloat ? 1e-4 : 1e-9;
  CHECK(at::allclose(saved.prepared(Dataset{raw}, type, "x").inputs,
                     data.test.inputs, rounding, rounding));

  Json damaged = json;
  damaged["whitening"]["center"].erase(0);
  CHECK_THROWS_WITH(Preparation::from_json(damaged),
                    ContainsSubstring("\"whitening\" is for 11 numbers, which "
                                      "does not fit examples of [2, 3, 2]"));
  damaged = json;
  damaged["whitening"]["numbers"] = "AAAA";
  CHECK_THROWS_WITH(Preparation::from_json(damaged),
                    ContainsSubstring("\"whitening\" has 3 bytes of numbers"));
  damaged["whitening"]["numbers"] = "*";
  CHECK_THROWS_WITH(Preparation::from_json(damaged),
                    ContainsSubstring("no text of base64"));
}

TEST_CASE("learned images that were whitened are shown as the source has them",
          "[whitening]") {
  const TemporaryFolder folder;
  const Json config = {
      {"precision", "float64"},
      {"threads", 1},
      {"problem",
       {{"type", "distillation"},
        {"data", images(folder, {{"whiten", 0.1}, {"standardize", true}})},
        {"model", "logistic"},
        {"examples", 6},
        {"start", "random"}}},
      {"hyperparameters", {{"inputs", Json::object()}}},
      {"estimator", {{"type", "unrolled"}, {"window", 1}, {"horizon", 1}}},
      {"outer", {{"type", "sgd"}, {"lr", 0.0}, {"steps", 1}}},
      {"record", {{"retrain", 0}}}};
  folder.write("a.json", config.dump());
  const Ended ended = program(folder.path(""), "run a.json --quiet --out run");
  CAPTURE(ended.output);
  REQUIRE(ended.code == 0);
  const Tensor shown =
      read_npz(folder.path("run/distilled.npz")).at("inputs").to(at::kDouble);
  REQUIRE(shown.size(0) == 6);
  const Tensor real = correlated();
  for (std::int64_t i = 0; i < 6; ++i) {
    CHECK((real - shown[i]).abs().amax({1, 2, 3}).min().item<double>() < 1e-4);
  }
}

TEST_CASE("inputs that cannot be whitened are told", "[whitening]") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH(
      whitening_splits(images(folder, {{"whiten", 0.1}, {"in_memory", false}})),
      ContainsSubstring("must be 0 for inputs that stay in a file"));
  CHECK_THROWS_WITH(whitening_splits({{"type", "text"}, {"whiten", 0.1}}),
                    ContainsSubstring("must be 0 for tokens"));
  CHECK_THROWS_WITH(whitening_splits(images(
                        folder, {{"whiten", 0.1}, {"train", 1}, {"valid", 5}})),
                    ContainsSubstring("must be 0 where the training inputs do "
                                      "not differ"));
  Tensor bad = correlated();
  bad[89][1][2][0] = NAN;  // of any part
  Json with_nan = images(folder, {{"whiten", 0.1}});
  folder.write("x",
               npy_bytes(npy_header("<f8", "(90, 2, 3, 2)"), raw_bytes(bad)));
  CHECK_THROWS_WITH(whitening_splits(with_nan),
                    ContainsSubstring("expected finite numbers"));
  CHECK_THROWS_WITH(whitening_splits({{"type", "gaussian_clusters"},
                                      {"features", 11001},
                                      {"examples", 10},
                                      {"whiten", 0.1}}),
                    ContainsSubstring("of more than 11000 numbers; these have "
                                      "11001"));
}

}  // namespace nestgrad
