// What `nestgrad check` must not call a fault.

#include "experiments/judge/check_verdict.h"

#include "experiments/judge/judge.h"
#include "tests/experiments/judge/checked.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

/// Its first estimate is zero.
Json soba() {
  return {{"precision", "float64"},
          {"problem", "ridge"},
          {"hyperparameters", {{"weight_decay", {{"per", "weight"}}}}},
          {"inner", {{"type", "sgd"}, {"lr", 0.4}}},
          {"estimator", {{"type", "soba"}, {"window", 20}}}};
}

}  // namespace

TEST_CASE("rounding of a correct solver is no fault", "[check]") {
  // The largest eigenvalue is 20 times the next, so conjugate gradients lose
  // the orthogonality of their directions: after 20 iterations they are 40 %
  // off what they would be without rounding, in any implementation.
  const std::string digits =
      NESTGRAD_SOURCE_DIR "/tests/experiments/judge/digits/";
  Json config = {{"precision", "float64"},
                 {"problem",
                  {{"type", "classification"},
                   {"data",
                    {{"type", "npy"},
                     {"inputs", digits + "inputs.npy"},
                     {"targets", digits + "targets.npy"},
                     {"train", 30},
                     {"valid", 15},
                     {"test", 15}}},
                   {"model", "logistic"},
                   {"batch", 0}}},
                 {"hyperparameters", {{"weight_decay", {{"initial", 1e-4}}}}},
                 {"inner", {{"type", "sgd"}, {"lr", 0.1}, {"momentum", 0.9}}},
                 {"estimator", {{"type", "ift"}, {"window", 200}}}};
  for (const char* solver :
       {"conjugate_gradient", "minres", "gmres", "dense"}) {
    CAPTURE(solver);
    config["estimator"]["solver"] = solver;
    const CheckResult got = checked(config);
    CAPTURE(got.verdict);
    CHECK(got.passed);
    CHECK_THAT(got.verdict, ContainsSubstring("what the method claims"));
    // Conjugate gradients are judged by a system that rounding leaves alone.
    if (solver == std::string("conjugate_gradient")) {
      CHECK(got.claim->parts_error > 0);
    }
    CHECK(got.claim->parts_error < 1e-8);
  }
}

TEST_CASE("an estimate of zero cannot be judged", "[check]") {
  const CheckResult zero = checked(soba());
  CHECK_FALSE(zero.passed);
  CHECK_THAT(zero.verdict,
             ContainsSubstring("CANNOT BE JUDGED: the estimate is zero after "
                               "one window of training") &&
                 ContainsSubstring("--windows 10"));
  CHECK_THAT(zero.text(), !ContainsSubstring("nan"));
  CHECK_THAT(zero.text(), ContainsSubstring("cosine none"));
  CheckOptions longer;
  longer.windows = 10;
  CHECK(checked(soba(), longer).passed);
}

TEST_CASE("the program cannot judge an estimate of zero, exit code 4",
          "[check]") {
  const TemporaryFolder folder;
  folder.write("soba.json", soba().dump());
  const Ended ended = program(folder.path(""), "check soba.json");
  CAPTURE(ended.output);
  CHECK(ended.code == 4);
  CHECK_THAT(ended.output, ContainsSubstring("the estimate is zero") &&
                               !ContainsSubstring("nan"));
  CHECK(program(folder.path(""), "check soba.json --windows 10").code == 0);
}

TEST_CASE("a random method is judged by the mean of its draws", "[check]") {
  CheckResult got;
  got.finite = true;
  got.windows = 1;
  got.claim.emplace();
  got.claim->holds = got.claim->known = true;
  got.claim->distance = {1e-9, 1, 1};
  got.bias.emplace();
  got.bias->known = true;
  got.bias->reference = "a dense solve";
  got.bias->distance = Distance{2, -0.5, 1};  // of the first draw
  got.random.emplace();
  got.random->keys = 20;
  got.random->distance = Distance{0.1, 0.99, 1};  // of the mean
  got.random->standard_error = 0.05;
  const CheckVerdict good = verdict_on(got, {});
  CHECK(good.passed);
  CHECK_THAT(good.text, ContainsSubstring("the mean of 20 draws is 10 % off"));
  CHECK_THAT(got.text(), ContainsSubstring("by one draw"));
  CHECK(got.to_json()["bias"]["draws"] == 1);
  // A mean that is no longer than its scatter may point anywhere.
  got.random->distance = Distance{1, -0.2, 0.1};
  CHECK_THAT(verdict_on(got, {}).text, ContainsSubstring("CANNOT BE JUDGED"));
  got.random->standard_error = 0.001;
  CHECK_THAT(verdict_on(got, {}).text, ContainsSubstring("WRONG DIRECTION"));
}

TEST_CASE("few draws that miss what they should be on average may be chance",
          "[check]") {
  CheckResult got;
  got.finite = true;
  got.mean_claim.emplace();
  got.mean_claim->distance = {0.5, 0.9, 1};
  got.mean_claim->standard_error = 0.001;
  got.bias.emplace();
  CheckOptions options;
  options.keys = 1;
  CHECK_THAT(verdict_on(got, options).text,
             ContainsSubstring("CANNOT BE JUDGED: the mean of one draw"));
  options.keys = 20;
  CHECK_THAT(verdict_on(got, options).text, ContainsSubstring("WRONG"));
}

TEST_CASE("a reference of zero gives no direction", "[check]") {
  CheckResult got;
  got.finite = true;
  got.bias.emplace();
  got.bias->known = true;
  got.bias->distance =
      distance(at::ones({2}, float64()), at::zeros({2}, float64()));
  const CheckVerdict verdict = verdict_on(got, {});
  CHECK_FALSE(verdict.passed);
  CHECK_THAT(verdict.text, ContainsSubstring("hypergradient is zero") &&
                               !ContainsSubstring("nan"));
  CHECK_THAT(got.text(),
             !ContainsSubstring("nan") && !ContainsSubstring("inf"));
}

}  // namespace nestgrad
