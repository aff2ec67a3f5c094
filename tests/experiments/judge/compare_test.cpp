#include "experiments/judge/compare.h"

#include <cmath>
#include <filesystem>

#include "core/platform/files.h"
#include "experiments/judge/check.h"
#include "experiments/problems/quadratic.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

/// Trained until nothing moves, so that the closed form is the truth.
Json ridge() {
  return {
      {"precision", "float64"},
      {"problem", "ridge"},
      {"hyperparameters", {{"weight_decay", {{"per", "weight"}}}}},
      {"inner", {{"type", "sgd"}, {"lr", 0.4}}},
      {"estimator", {{"type", "ift"}, {"window", 600}, {"solver", "dense"}}}};
}

JsonFile file(const Json& json, const std::string& name = "list.json") {
  return JsonFile::parse(json.dump(2), name);
}

ComparisonResult compared(const Json& config, const Json& list,
                          const CompareOptions& options = {}) {
  return compare_estimators(file(config), {file(list)}, options);
}

Json compare(const Json& config, const Json& list,
             const CompareOptions& options = {}) {
  return compared(config, list, options).to_json();
}

}  // namespace

TEST_CASE("compared errors are those that the closed form gives", "[compare]") {
  const Json got = compare(
      ridge(),
      {{{"type", "ift"}, {"solver", {{"type", "identity"}, {"scale", 0.7}}}}});
  CHECK(got["target"] == "stationarity");
  CHECK(got["training_steps"] == 600);
  CHECK(got["known"] == true);
  const Json& rows = got["estimators"];
  REQUIRE(rows.size() == 2);
  CHECK(rows[0]["name"] == "ift, dense");
  CHECK(rows[0]["error"].get<double>() < 1e-12);

  // With 0.7 in place of the inverse: -0.7 w*_i (V'(V w* - t))_i scale.
  const Quadratic problem(ridge_terms({}, float64()));
  const ParameterSet hyper{
      {"weight_decay", at::full({12}, problem.terms().decay, float64())}};
  const Tensor truth = problem.hypergradient(hyper).flatten();
  const Tensor w = problem.solution(hyper);
  const auto& terms = problem.terms();
  const Tensor other = -0.7 * terms.scale * w *
                       at::mv(terms.v.t(), at::mv(terms.v, w) - terms.t);
  // d/d(log decay) = decay d/d(decay): one factor for all, so no error changes.
  const auto length = [](const Tensor& x) { return x.norm().item<double>(); };
  CHECK(rows[1]["error"].get<double>() ==
        Approx(length(other - truth) / length(truth)).epsilon(1e-9));
  CHECK(rows[1]["norm_ratio"].get<double>() ==
        Approx(length(other) / length(truth)).epsilon(1e-9));
  CHECK(rows[1]["cosine"].get<double>() ==
        Approx((other * truth).sum().item<double>() /
               (length(other) * length(truth)))
            .epsilon(1e-9));
}

TEST_CASE("compared costs are those of the estimate that is judged",
          "[compare]") {
  Json config = ridge();
  config["estimator"]["window"] = 20;
  CompareOptions options;
  options.windows = 3;
  const Json got = compare(
      config,
      {{{"type", "ift"},
        {"solver", {{"type", "neumann"}, {"terms", 7}, {"scale", 0.3}}}},
       "unrolled",
       {{"type", "unrolled"}, {"window", 60}, {"checkpoints", "all"}}},
      options);
  const Json& rows = got["estimators"];
  CHECK(got["training_steps"] == 60);
  CHECK(rows[1]["products"] == 7);
  CHECK(rows[1]["train_gradients"] == 21);  // the window's and the tape's
  CHECK(rows[2]["train_gradients"] == 20);
  CHECK(rows[3]["train_gradients"] ==
        119);  // there, but for the last, and back
  for (const Json& row : rows) {
    CHECK(row["status"] == "ok");
    CHECK(row["valid_gradients"] == 1);
    CHECK(row["seconds"].get<double>() > 0);
    CHECK(row["peak_tensor_mib"].get<double>() > 0);
  }
}

TEST_CASE("compared errors do not depend on the precision of training",
          "[compare]") {
  const Json list = {{{"type", "ift"},
                      {"window", 20},
                      {"solver", {{"type", "neumann"}, {"scale", 0.3}}}}};
  Json config = ridge();
  config["estimator"]["window"] = 20;
  const Json exact = compare(config, list);
  config["precision"] = "float32";
  const Json single = compare(config, list);
  for (int i : {0, 1}) {
    const Json &a = exact["estimators"][i], &b = single["estimators"][i];
    CHECK(a["error"] == b["error"]);
    // Costs are those of the precision that is configured.
    CHECK(b["peak_tensor_mib"].get<double>() <
          0.8 * a["peak_tensor_mib"].get<double>());
  }
}

TEST_CASE("a target can be named: a short window is off, the whole is not",
          "[compare]") {
  Json config = ridge();
  config["estimator"]["window"] = 5;
  CompareOptions options;
  options.windows = 4;
  options.target = Target::kTraining;
  const Json rows =
      compare(config, {"unrolled", {{"type", "unrolled"}, {"window", 20}}},
              options)["estimators"];
  CHECK(rows[1]["error"].get<double>() > 0.01);
  CHECK(rows[2]["error"].get<double>() < 1e-12);
}

TEST_CASE("methods that are in trouble have rows that say so", "[compare]") {
  const ComparisonResult result = compared(
      ridge(),
      {{{"type", "ift"},
        {"solver", {{"type", "neumann"}, {"terms", 2000}, {"scale", 50}}}},
       {{"type", "ift"}, {"solver", {{"type", "minres"}, {"iterations", 2}}}},
       "reversible"});
  const Json rows = result.to_json()["estimators"];
  CHECK(rows[1]["status"] == "diverged");
  CHECK(rows[2]["status"] == "not_converged");
  CHECK(rows[3]["status"] == "failed");
  CHECK_THAT(rows[3]["trouble"].get<std::string>(),
             ContainsSubstring("momentum"));
  const std::string table = result.text();
  CHECK_THAT(table, ContainsSubstring("diverged: "));
  CHECK_THAT(table, ContainsSubstring("failed: "));
  CHECK_THAT(table, !ContainsSubstring("-nan"));
  // What cannot be drawn does not hinder the rest.
  const TemporaryFolder folder;
  result.draw(folder.path("compare.png"));
  CHECK(std::filesystem::file_size(folder.path("compare.png")) > 1000);
}

TEST_CASE("the configured estimator takes part once", "[compare]") {
  const Json list = {ridge()["estimator"], "one_step"};
  CHECK(compare(ridge(), list)["estimators"].size() == 2);
}

TEST_CASE("mistakes in a list of estimators are told with file and line",
          "[compare]") {
  Json config = ridge();
  config["estimator"]["window"] = 20;
  const auto message = [&](const std::string& text) {
    try {
      compare_estimators(file(config), {JsonFile::parse(text, "list.json")},
                         {});
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  CHECK_THAT(message("[\n\"unrolled\",\n{\"type\": \"ift\",\n\"sovler\": 1}]"),
             ContainsSubstring("list.json:4: /1/sovler") &&
                 ContainsSubstring("solver"));
  CHECK_THAT(
      message("{\"type\": \"unroled\"}"),
      ContainsSubstring("list.json:1: /type") && ContainsSubstring("unrolled"));
  CHECK_THAT(message("[\n{\"type\": \"unrolled\",\n\"window\": 7}]"),
             ContainsSubstring("list.json:3: /0/window") &&
                 ContainsSubstring("must divide the 20 training steps"));
  CHECK_THAT(message("[\n{\"type\": \"unrolled\", \"window\": 10,\n"
                     "\"horizon\": 10}]"),
             ContainsSubstring("list.json:3: /0/horizon"));
  CHECK_THAT(message("[]"), ContainsSubstring("empty"));
  CHECK_THAT(message("[3]"), ContainsSubstring("list.json:1: /0"));
}

TEST_CASE("the program compares the shipped lists", "[compare]") {
  const TemporaryFolder folder;
  const std::string shipped = NESTGRAD_SOURCE_DIR "/configs";
  for (const std::string list : {"implicit", "unrolled"}) {
    const Ended ended = program(
        folder.path(""),
        fmt::format("compare {}/ridge_ift.json --estimators "
                    "{}/estimators/{}.json --set inner.momentum=0.5 --out {}",
                    shipped, shipped, list, list));
    CAPTURE(ended.output);
    CHECK(ended.code == 0);
    CHECK_THAT(ended.output, !ContainsSubstring("failed"));
    const JsonFile table = JsonFile::read(folder.path(list + "/compare.json"));
    CHECK(table.json()["estimators"].size() >= 8);
    CHECK(std::filesystem::exists(folder.path(list + "/compare.png")));
  }
  const Ended again = program(
      folder.path(""), fmt::format("compare {0}/ridge_ift.json --estimators "
                                   "{0}/estimators/unrolled.json --json",
                                   shipped));
  CHECK(again.code == 0);
  CHECK(Json::parse(again.output)["estimators"].size() >= 8);
  CHECK(std::filesystem::exists(
      folder.path("runs/ridge_ift-compare-1/compare.json")));
  const Ended missing = program(
      folder.path(""),
      fmt::format("compare {}/ridge_ift.json --estimators none.json", shipped));
  CHECK(missing.code == 2);
  CHECK_THAT(missing.output, ContainsSubstring("none.json"));
}

TEST_CASE("compared over keys, truncated methods show bias and variance",
          "[compare]") {
  const Json config = {{"precision", "float64"},
                       {"problem", "influence_balancing"},
                       {"hyperparameters", {{"theta", {{"initial", 0.5}}}}},
                       {"inner", {{"type", "sgd"}, {"lr", 1}}},
                       {"estimator",
                        {{"type", "es_single"},
                         {"particles", 10},
                         {"sigma", 0.1},
                         {"window", 2}}}};
  CompareOptions options;
  options.windows = 40;
  options.keys = 60;
  const ComparisonResult result =
      compared(config,
               {{{"type", "es"}, {"particles", 10}, {"sigma", 0.1}},
                {{"type", "pes"}, {"particles", 10}, {"sigma", 0.1}},
                {{"type", "pes"}, {"particles", 160}, {"sigma", 0.1}},
                {{"type", "forward"}, {"real_time", true}},
                {{"type", "unrolled"}}},
               options);
  const Json rows = result.to_json()["estimators"];
  const auto of = [&](std::size_t row, const char* key) {
    return rows[row][key].get<double>();
  };
  REQUIRE(rows.size() == 6);
  for (const std::size_t unbiased : {0, 2, 3}) {
    CAPTURE(rows[unbiased].dump());
    CHECK(of(unbiased, "error") < 3 * of(unbiased, "standard_error"));
    CHECK(of(unbiased, "standard_deviation") ==
          Approx(of(unbiased, "standard_error") * std::sqrt(60)));
  }
  // The wrong way.
  CHECK(of(1, "error") > 5 * of(1, "standard_error"));
  CHECK(of(1, "cosine") < 0);
  CHECK(of(5, "cosine") < 0);
  // Sixteen times as many pairs scatter a quarter.
  CHECK(of(2, "standard_deviation") / of(3, "standard_deviation") ==
        Approx(4).epsilon(0.35));
  // Nothing about these is random.
  CHECK(of(4, "error") < 1e-10);
  CHECK(of(4, "standard_deviation") == 0);
  CHECK_THAT(result.text(), ContainsSubstring("deviation"));
}

}  // namespace nestgrad
