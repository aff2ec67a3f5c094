#include "experiments/predict/predict.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <map>

#include "core/platform/files.h"
#include "core/storage/safetensors.h"
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
  folder.write("unseen.csv", "size,country\n1,Italy\n2,Spain\n");
  const Ended ended = program(folder.path(""), "predict run unseen.csv");
  CHECK(ended.code == 0);
  CHECK_THAT(ended.output, ContainsSubstring("nestgrad: 'unseen.csv'") &&
                               ContainsSubstring("'Spain' in 1"));
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
  // These are double precision, so that all digits are there.
  CHECK(std::any_of(rows.begin() + 1, rows.end(), [](const auto& row) {
    return std::stod(fmt::format("{:.9g}", std::stod(row[1]))) !=
           std::stod(row[1]);
  }));
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
  save_npz(folder.path("one.npz"), {{"inputs", images.narrow(0, 3, 1)}});
  CHECK(predicted(folder.path("run"), folder.path("one.npz"))[1][1] == "1");
  // A network that has come to nothing predicts nothing.
  const std::string file = folder.path("run/weights.safetensors");
  save_safetensors(file, load_safetensors(file).map([](const Tensor& t) {
    return at::full_like(t, std::numeric_limits<double>::quiet_NaN());
  }));
  CHECK(predicted(folder.path("run"), folder.path("one.npz"))[1] ==
        std::vector<std::string>{"0", "", "nan", "nan"});
}

TEST_CASE("a network with batch norm is asked about parts of equal size",
          "[predict]") {
  const TemporaryFolder folder;
  const Tensor inputs = Key(1).normal(at::empty({1001, 3}));
  save_npz(folder.path("all.npz"),
           {{"inputs", inputs},
            {"targets", inputs.select(1, 0).gt(0).to(at::kLong)}});
  summary_of_run(
      folder,
      {{"type", "supervised"},
       {"data",
        {{"type", "npz"}, {"file", "all.npz"}, {"train", 100}, {"valid", 100}}},
       {"model",
        {{"type", "sequential"},
         {"layers", {"batch_norm", {{"type", "linear"}, {"out", 2}}}}}}});
  const auto ask = [&](const Tensor& about) {
    save_npz(folder.path("new.npz"), {{"inputs", about}});
    return predicted(folder.path("run"), folder.path("new.npz"));
  };
  const Rows all = ask(inputs), half = ask(inputs.narrow(0, 500, 501));
  REQUIRE(all.size() == 1002);
  for (std::size_t i = 1; i <= 501; ++i) {
    CHECK(std::stod(all[500 + i][2]) ==
          Approx(std::stod(half[i][2])).margin(1e-6));
  }
  CHECK_THROWS_WITH(ask(inputs.narrow(0, 0, 1)),
                    ContainsSubstring("new.npz': has one example, but the "
                                      "network normalizes"));
}

TEST_CASE("an autoencoder gives images back in the units of the source",
          "[predict]") {
  const TemporaryFolder folder;
  const Tensor images =
      (Key(4).uniform(at::empty({40, 1, 4, 4})) * 200).to(at::kByte);
  const auto save = [&](const char* name, std::int64_t first, std::int64_t n) {
    save_npz(folder.path(name), {{"inputs", images.narrow(0, first, n)},
                                 {"targets", at::arange(n).remainder(2)}});
  };
  save("train.npz", 0, 20);
  save("valid.npz", 20, 10);
  save("test.npz", 30, 10);
  const Json summary = summary_of_run(folder, {{"type", "supervised"},
                                               {"targets", "inputs"},
                                               {"loss", "squared_error"},
                                               {"metrics", {"rmse", "mae"}},
                                               {"data",
                                                {{"type", "npz"},
                                                 {"file", "train.npz"},
                                                 {"valid_file", "valid.npz"},
                                                 {"test_file", "test.npz"},
                                                 {"standardize", true}}},
                                               {"model",
                                                {{"type", "autoencoder"},
                                                 {"channels", {2}},
                                                 {"hidden", Json::array()},
                                                 {"code", 3}}}});
  const Rows rows = predicted(folder.path("run"), folder.path("test.npz"));
  REQUIRE(rows.size() == 11);
  REQUIRE(rows[0].size() == 17);
  const Tensor pixels = images.narrow(0, 30, 10).flatten(1).to(at::kDouble);
  Tensor given = at::empty_like(pixels);
  for (std::int64_t i = 0; i < 10; ++i) {
    for (std::int64_t j = 0; j < 16; ++j) {
      given[i][j] = std::stod(rows[static_cast<std::size_t>(i) + 1]
                                  [static_cast<std::size_t>(j) + 1]);
    }
  }
  const Tensor miss = given - pixels / 255;
  const Json& tuned = summary.at("tuned");
  CHECK(miss.square().mean(0).sqrt().mean().item<double>() ==
        Approx(tuned.at("test_rmse").get<double>()).epsilon(1e-4));
  CHECK(miss.abs().mean().item<double>() ==
        Approx(tuned.at("test_mae").get<double>()).epsilon(1e-4));
  // The loss is that of standardized pixels, summed over an image.
  const Tensor of_training = images.narrow(0, 0, 20).to(at::kDouble).div(255);
  const double deviation = of_training.std(/*unbiased=*/false).item<double>();
  CHECK(tuned.at("test_loss").get<double>() ==
        Approx(0.5 * (miss / deviation).square().sum(1).mean().item<double>())
            .epsilon(1e-3));
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
