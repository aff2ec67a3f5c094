#include "experiments/predict/predict.h"

#include <filesystem>
#include <map>

#include "core/platform/files.h"
#include "core/tensor/key.h"
#include "experiments/data/arrays/npz_file.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

using Rows = std::vector<std::vector<std::string>>;

/// The fields of a table without quotes; the header is the first row.
Rows rows_of(const std::string& table) {
  Rows out;
  std::stringstream lines(table);
  for (std::string line; std::getline(lines, line);) {
    out.emplace_back();
    std::stringstream fields(line);
    for (std::string field; std::getline(fields, field, ',');) {
      out.back().push_back(field);
    }
  }
  return out;
}

Rows predicted(const std::string& run, const std::string& data) {
  std::string table;
  predict(run, data, [&](const std::string& rows) { table += rows; });
  return rows_of(table);
}

/// Runs an experiment of these data into folder/run. Returns summary.json.
Json summary_of_run(const TemporaryFolder& folder, const Json& problem) {
  const Json config = {
      {"problem", problem},
      {"hyperparameters", {{"weight_decay", {{"initial", 1e-3}}}}},
      {"inner", {{"type", "adam"}, {"lr", 0.05}}},
      {"estimator", {{"type", "ift"}, {"window", 20}}},
      {"outer", {{"type", "adam"}, {"lr", 0.1}, {"steps", 2}}},
      {"record", {{"retrain", 0}}}};
  folder.write("a.json", config.dump());
  const Ended ended = program(folder.path(""), "run a.json --quiet --out run");
  INFO(ended.output);
  REQUIRE(ended.code == 0);
  return Json::parse(read_file(folder.path("run/summary.json")));
}

/// A table of towns with a class, a number and the part of each row.
std::string towns() {
  std::string out = "size,country,warm,degrees,part\n";
  for (int i = 0; i < 90; ++i) {
    const bool south = i % 3 == 0;
    const double size = (i * 37 % 90) / 10.0;
    const bool warm = south ? size > 2 : size > 7;
    out += fmt::format("{},{},{},{:.2f},{}\n",
                       i == 4 ? "NA" : fmt::format("{}", size),
                       south ? "Italy" : "\"Norway, north\"",
                       warm ? "yes" : "no", 10 * south + 2 * size + i % 7,
                       i < 40   ? "train"
                       : i < 60 ? "valid"
                                : "test");
  }
  return out;
}

}  // namespace

TEST_CASE("what a network says of the test examples has their accuracy",
          "[predict]") {
  const TemporaryFolder folder;
  const std::string table = folder.write("towns.csv", towns());
  const Json summary =
      summary_of_run(folder, {{"type", "supervised"},
                              {"data",
                               {{"type", "csv"},
                                {"file", "towns.csv"},
                                {"target", "warm"},
                                {"drop", {"degrees"}},
                                {"split_column", "part"},
                                {"missing", "indicator"},
                                {"standardize", true}}},
                              {"model", {{"type", "mlp"}, {"hidden", {8}}}}});
  // The data of the run are not needed, and other columns do not matter.
  std::filesystem::rename(table, folder.path("new.csv"));
  const Rows rows = predicted(folder.path("run"), folder.path("new.csv"));
  REQUIRE(rows.size() == 91);
  CHECK(rows[0] ==
        std::vector<std::string>{"example", "prediction", "p(no)", "p(yes)"});
  const Rows truth = [&] {
    Rows out;
    std::stringstream lines(towns());
    for (std::string line; std::getline(lines, line);) {
      out.push_back({line.find(",yes,") == std::string::npos ? "no" : "yes"});
    }
    return out;
  }();
  double right = 0;
  for (std::size_t i = 61; i <= 90; ++i) {
    CAPTURE(i);
    CHECK(rows[i][0] == std::to_string(i - 1));
    const double no = std::stod(rows[i][2]), yes = std::stod(rows[i][3]);
    CHECK(no + yes == Approx(1));
    CHECK(rows[i][1] == (yes > no ? "yes" : "no"));
    right += rows[i][1] == truth[i][0] ? 1 : 0;
  }
  CHECK(right / 30 ==
        Approx(summary.at("tuned").at("test_accuracy").get<double>()));
  CHECK(right > 20);

  folder.write("less.csv", "size\n1\n");
  CHECK_THROWS_WITH(predicted(folder.path("run"), folder.path("less.csv")),
                    ContainsSubstring("there is no column 'country'"));
}

TEST_CASE("numbers are predicted in the units of the source", "[predict]") {
  const TemporaryFolder folder;
  folder.write("towns.csv", towns());
  const Json summary =
      summary_of_run(folder, {{"type", "supervised"},
                              {"loss", "squared_error"},
                              {"data",
                               {{"type", "csv"},
                                {"file", "towns.csv"},
                                {"target", "degrees"},
                                {"targets", "numbers"},
                                {"drop", {"warm"}},
                                {"split_column", "part"},
                                {"missing", "mean"},
                                {"standardize", true},
                                {"standardize_targets", true}}},
                              {"model", {{"type", "mlp"}, {"hidden", {8}}}}});
  const Rows rows = predicted(folder.path("run"), folder.path("towns.csv"));
  CHECK(rows[0] == std::vector<std::string>{"example", "degrees"});
  double squares = 0;
  for (int i = 60; i < 90; ++i) {
    const bool south = i % 3 == 0;
    const double size = (i * 37 % 90) / 10.0;
    const double truth = 10 * south + 2 * size + i % 7;
    const double miss =
        std::stod(rows[static_cast<std::size_t>(i) + 1][1]) - truth;
    squares += miss * miss;
  }
  CHECK(
      std::sqrt(squares / 30) ==
      Approx(summary.at("tuned").at("test_rmse").get<double>()).epsilon(1e-4));
}

TEST_CASE("pixels of new images are prepared as those of the training images",
          "[predict]") {
  const TemporaryFolder folder;
  const Tensor labels = at::arange(60).remainder(2);
  const Tensor images = (Key(3).uniform(at::empty({60, 1, 4, 4})) * 100 +
                         100 * labels.view({60, 1, 1, 1}))
                            .to(at::kByte);
  save_npz(folder.path("all.npz"), {{"inputs", images}, {"targets", labels}});
  const Json summary =
      summary_of_run(folder, {{"type", "supervised"},
                              {"data",
                               {{"type", "npz"},
                                {"file", "all.npz"},
                                {"train", 30},
                                {"valid", 10},
                                {"standardize", true}}},
                              {"model", {{"type", "logistic"}}}});
  CHECK(summary.at("tuned").at("test_accuracy") == 1);
  save_npz(folder.path("new.npz"), {{"inputs", images}});
  const Rows rows = predicted(folder.path("run"), folder.path("new.npz"));
  REQUIRE(rows.size() == 61);
  for (std::size_t i = 0; i < 60; ++i) {
    CHECK(rows[i + 1][1] == std::to_string(i % 2));
  }
  save_npz(folder.path("other.npz"), {{"inputs", images.narrow(2, 0, 2)}});
  CHECK_THROWS_WITH(
      predicted(folder.path("run"), folder.path("other.npz")),
      ContainsSubstring("other.npz': an example has the shape [1, 2, 4], but "
                        "the network was trained on [1, 4, 4]"));
}

TEST_CASE("whoever asks a run without a network is told so", "[predict]") {
  const TemporaryFolder folder;
  folder.write("a.json", R"({"problem": "ridge", "outer": {"steps": 1},
      "hyperparameters": {"weight_decay": {}}, "record": {"retrain": 0}})");
  REQUIRE(program(folder.path(""), "run a.json --quiet --out run").code == 0);
  const Ended ended = program(folder.path(""), "predict run new.csv");
  CHECK(ended.code == 2);
  CHECK(ended.output ==
        "nestgrad: run: has no network.json, so there is no network to ask\n");
}

}  // namespace nestgrad
