#include "experiments/spectrum/spectrum.h"

#include <ATen/ATen.h>

#include <cmath>

#include "tests/experiments/plot/picture.h"
#include "tests/support/program.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

constexpr double kHalfTurn = 3.14159265358979323846;

JsonFile file_of(const Json& json) {
  return JsonFile::parse(json.dump(), "game.json");
}

Json bilinear(const char* estimator, double modulus, double argument) {
  const Json rule = {{"type", "complex_sgd"},
                     {"lr", 0.1},
                     {"momentum", modulus},
                     {"argument", argument}};
  return {{"precision", "float64"},
          {"problem", "bilinear_game"},
          {"hyperparameters", {{"y", Json::object()}}},
          {"inner", rule},
          {"estimator", {{"type", estimator}, {"window", 1}}},
          {"outer", rule}};
}

/// The update of (x, y, Re mu, Im mu) of min_x max_y x y with momentum beta for
/// both players, written out; Lorraine et al. 2022, equation 4.
double closed_form(double modulus, double argument, double lr,
                   bool alternating) {
  const double re = modulus * std::cos(argument),
               im = modulus * std::sin(argument);
  // Rows: x, y, Re mu_x, Re mu_y, Im mu_x, Im mu_y.
  Tensor m = at::zeros({6, 6}, at::kDouble);
  const auto set = [&](int row, int column, double value) {
    m[row][column] = value;
  };
  // mu_x <- beta mu_x + y, x <- x - lr Re mu_x
  set(2, 2, re), set(2, 4, -im), set(2, 1, 1);
  set(4, 2, im), set(4, 4, re);
  m[0] = -lr * m[2];
  m[0][0] += 1;
  // mu_y <- beta mu_y - x, y <- y - lr Re mu_y
  set(3, 3, re), set(3, 5, -im);
  set(5, 3, im), set(5, 5, re);
  if (alternating) {
    m[3] -= m[0];
  } else {
    set(3, 0, -1);
  }
  m[1] = -lr * m[3];
  m[1][1] += 1;
  return at::linalg_eigvals(m).abs().max().item<double>();
}

}  // namespace

TEST_CASE("the spectrum of the bilinear game is the one in closed form",
          "[spectrum]") {
  for (const double modulus : {0.5, 0.8, 0.9}) {
    for (const double argument :
         {0., kHalfTurn / 8, kHalfTurn / 4, kHalfTurn / 2, kHalfTurn}) {
      for (const bool alternating : {false, true}) {
        CAPTURE(modulus, argument, alternating);
        const double radius =
            spectrum_of(
                file_of(bilinear(alternating ? "alternating" : "simultaneous",
                                 modulus, argument)),
                1)
                .radius();
        CHECK(radius == Approx(closed_form(modulus, argument, 0.1, alternating))
                            .epsilon(1e-8));
      }
    }
  }
  CHECK(spectrum_of(file_of(bilinear("simultaneous", 0.8, kHalfTurn / 8)), 1)
            .radius() == Approx(0.9774).margin(5e-5));
}

TEST_CASE(
    "the Dirac-GAN has the eigenvalues of its publication at its "
    "equilibrium",
    "[spectrum]") {
  for (const char* loss : {"minimax", "non_saturating", "wasserstein"}) {
    for (const double penalty : {0., 0.5, 3.}) {
      CAPTURE(loss, penalty);
      const double slope = std::string(loss) == "wasserstein" ? 1 : 0.5;
      const Json json = {{"problem",
                          {{"type", "dirac_gan"},
                           {"loss", loss},
                           {"gradient_penalty", penalty},
                           {"start_1", 0},
                           {"start_2", 0}}},
                         {"hyperparameters", {{"y", Json::object()}}},
                         {"inner", {{"type", "sgd"}, {"lr", 0.1}}},
                         {"estimator", "simultaneous"},
                         {"outer", {{"type", "sgd"}, {"lr", 0.1}}}};
      Json once = json;
      once["estimator"] = {{"type", "simultaneous"}, {"window", 1}};
      const std::complex<double> root = std::sqrt(
          std::complex<double>(penalty * penalty - 4 * slope * slope));
      const double expected = std::max(std::abs(1. - 0.05 * (penalty + root)),
                                       std::abs(1. - 0.05 * (penalty - root)));
      CHECK(spectrum_of(file_of(once), 1).radius() ==
            Approx(expected).epsilon(1e-8));
    }
  }
}

TEST_CASE("a spectrum that does not exist is not a number", "[spectrum]") {
  Json json = bilinear("simultaneous", 0.5, 0);
  json["inner"]["lr"] = json["outer"]["lr"] = 1e200;
  CHECK(std::isnan(spectrum_of(file_of(json), 3).radius()));
}

TEST_CASE("a map of radii has those of each point", "[spectrum]") {
  const Json json = bilinear("simultaneous", 0, 0);
  const SpectrumMap map = map_spectrum(
      file_of(json), 1,
      {Variation::parse("inner.argument,outer.argument=0:0.8:3"),
       Variation::parse("inner.momentum,outer.momentum=0.5:0.9:2")});
  REQUIRE(map.radii.sizes() == at::IntArrayRef({3, 2}));
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 2; ++j) {
      CHECK(map.radii[i][j].item<double>() ==
            Approx(closed_form(0.5 + 0.4 * j, 0.4 * i, 0.1, false))
                .epsilon(1e-8));
    }
  }
  CHECK(
      map.to_csv().rfind(
          "\"inner.argument,outer.argument\",\"inner.momentum,outer.momentum\""
          ",spectral_radius\n0,0.5,1.0456",
          0) == 0);
}

TEST_CASE("what varies is said in one form only", "[spectrum]") {
  const Variation good = Variation::parse("a.b,c=-1:1:5");
  CHECK(good.keys == std::vector<std::string>{"a.b", "c"});
  CHECK(good.values == std::vector<double>{-1, -0.5, 0, 0.5, 1});
  for (const char* wrong :
       {"", "a", "a=", "a=1", "a=0:1", "a=0:1:1", "a=1:0:5", "a=0:1:2.5",
        "a=0:x:3", ",a=0:1:3", "a=0:1:3:4", "a=0:nan:3", "a=0:1:1e9"}) {
    CAPTURE(wrong);
    CHECK_THROWS_WITH(
        Variation::parse(wrong),
        ContainsSubstring("must have the form KEY=FROM:TO:COUNT"));
  }
}

TEST_CASE("the command draws where players come together", "[spectrum]") {
  const TemporaryFolder folder;
  write_file(folder.path("game.json"), bilinear("simultaneous", 0, 0).dump());
  const Ended ended = program(
      folder.path("."),
      "spectrum game.json --vary inner.argument,outer.argument=0:3:4 --vary "
      "inner.momentum,outer.momentum=0.5:0.9:3 --out map");
  CHECK(ended.code == 0);
  CHECK_THAT(ended.output, ContainsSubstring("below 1 at 4 of 12 points"));
  const Picture picture(folder.path("map/spectrum.png"));
  // The least argument and the greatest modulus: far above 1.
  const std::uint32_t corner = picture.color(150, 130);
  CHECK((corner >> 16) > (corner & 0xFF));
  const Ended one = program(folder.path("."), "spectrum game.json --json");
  CHECK(one.code == 0);
  CHECK(Json::parse(one.output)["eigenvalues"].size() == 6);
  CHECK(program(folder.path("."), "spectrum game.json --vary inner.x=0:1:2")
            .code == 2);
}

}  // namespace nestgrad
