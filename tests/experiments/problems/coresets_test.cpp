// Learned examples that start from a file.

#include <ATen/ATen.h>
#include <torch/csrc/jit/serialization/pickle.h>

#include <algorithm>
#include <cmath>

#include "core/platform/warnings.h"
#include "experiments/data/arrays/npz_file.h"
#include "experiments/problems/coresets/coreset.h"
#include "tests/support/program.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

/// Images of 2 classes with pixels from 0 to 1.
Splits images() {
  Splits out;
  for (Dataset* part : {&out.train, &out.valid, &out.test}) {
    part->inputs = Key(1).uniform(at::empty({6, 1, 2, 2}));
    part->targets = at::arange(6, at::kLong).remainder(2);
    part->classes = 2;
  }
  return out;
}

/// The examples that a file with these inputs starts from.
Tensor started(const TemporaryFolder& folder, const Tensor& inputs,
               const Splits& data = images()) {
  save_npz(folder.path("start.npz"),
           {{"inputs", inputs}, {"labels", at::eye(2)}});
  return CoresetRegistry::instance()
      .make(Json{{"type", "file"}, {"file", folder.path("start.npz")}})
      ->make(data, 2, Key(1))
      .inputs;
}

}  // namespace

TEST_CASE("bytes in a file of examples are pixels", "[coresets]") {
  const TemporaryFolder folder;
  const Tensor bytes =
      at::tensor({0, 255, 51, 102, 1, 2, 3, 4}, at::kByte).view({2, 1, 2, 2});
  CHECK(at::allclose(started(folder, bytes), bytes.to(at::kFloat) / 255));
  const Tensor numbers = bytes.to(at::kFloat) / 255;
  CHECK(at::equal(started(folder, numbers), numbers));
}

TEST_CASE("bytes are standardized like the pixels of the data", "[coresets]") {
  const TemporaryFolder folder;
  Splits data = images();
  data.scaling = {at::full({1, 1, 1, 1}, 0.5), at::full({1, 1, 1, 1}, 0.25)};
  const Tensor bytes = at::full({2, 1, 2, 2}, 255, at::kByte);
  CHECK(at::allclose(started(folder, bytes, data), at::full({2, 1, 2, 2}, 2.)));

  // Others may have been prepared already.
  const Tensor prepared = at::full({2, 1, 2, 2}, 0.75);
  save_npz(folder.path("prepared.npz"),
           {{"inputs", prepared}, {"labels", at::tensor({0, 1}, at::kLong)}});
  const Json json = {{"type", "file"},
                     {"file", folder.path("prepared.npz")},
                     {"standardized", true}};
  CHECK(at::equal(
      CoresetRegistry::instance().make(json)->make(data, 2, Key(1)).inputs,
      prepared));
}

TEST_CASE("numbers in a file of examples that are not finite are refused",
          "[coresets]") {
  const TemporaryFolder folder;
  Tensor inputs = at::ones({2, 1, 2, 2}, float64());
  inputs[1][0][1][1] = NAN;
  CHECK_THROWS_WITH(started(folder, inputs),
                    ContainsSubstring("'inputs' has numbers that are not "
                                      "finite"));
  inputs[1][0][1][1] = 1e39;
  CHECK_THROWS_WITH(started(folder, inputs),
                    ContainsSubstring("not finite in float32"));
}

TEST_CASE("examples far outside the range of the data are warned of",
          "[coresets]") {
  const TemporaryFolder folder;
  untold_warnings();
  started(folder, at::full({2, 1, 2, 2}, 5.0));
  CHECK(untold_warnings().empty());
  started(folder, at::full({2, 1, 2, 2}, 255.0));
  const std::vector<std::string> told = untold_warnings();
  REQUIRE(told.size() == 1);
  CHECK_THAT(told[0], ContainsSubstring("'inputs' reaches 255") &&
                          ContainsSubstring("pixels from 0 to 1"));
}

TEST_CASE("arrays that nobody reads do no harm to a file of examples",
          "[coresets]") {
  const TemporaryFolder folder;
  folder.write("write.py", R"(
import numpy
numpy.savez('start.npz', inputs=numpy.ones((2, 1, 2, 2), 'f4'),
            labels=numpy.eye(2, dtype='f4'), note=numpy.array('a text'),
            thing=numpy.array([{}], dtype=object))
)");
  REQUIRE(shell(folder.path(""), "/usr/bin/python3 write.py").code == 0);
  const auto start = CoresetRegistry::instance().make(
      Json{{"type", "file"}, {"file", folder.path("start.npz")}});
  CHECK(start->make(images(), 2, Key(1)).inputs.numel() == 8);
  CHECK_THROWS_WITH(read_npz(folder.path("start.npz")),
                    ContainsSubstring("start.npz: note"));
  CHECK(read_npz(folder.path("start.npz"), {"labels", "none"}).size() == 1);
}

TEST_CASE("examples of other programs are read whatever form they have",
          "[coresets]") {
  const TemporaryFolder folder;
  const Tensor x = Key(7).uniform(at::empty({3, 1, 2, 2}));
  const Tensor y = at::tensor({1, 0, 1}, at::kLong);
  const Tensor hot = at::one_hot(y, 2).to(at::kFloat);
  const auto saved = [&](const std::string& name, const c10::IValue& value) {
    const std::vector<char> bytes = torch::jit::pickle_save(value);
    folder.write(name, std::string(bytes.begin(), bytes.end()));
  };
  save_npz(folder.path("names.npz"), {{"images", x}, {"y", y}});
  save_npz(folder.path("last.npz"),
           {{"x", x.permute({0, 2, 3, 1}).contiguous()}, {"targets", hot}});
  save_npz(folder.path("grey.npz"),
           {{"data", x.squeeze(1)}, {"labels", y.to(at::kInt)}});
  saved("pair.pt", c10::ivalue::Tuple::create(x, y));
  c10::impl::GenericDict sets(c10::StringType::get(), c10::AnyType::get());
  c10::impl::GenericList one(c10::AnyType::get());
  one.push_back(x);
  one.push_back(hot);
  sets.insert("accuracy", 0.5);
  sets.insert("data", one);
  saved("nested.pth", sets);
  saved("images.pt", x);
  saved("labels.pt", y);
  folder.write("write.py", R"(
import numpy
a = numpy.load('names.npz')
numpy.save('images.npy', a['images'])
numpy.save('labels.npy', a['y'])
)");
  REQUIRE(shell(folder.path(""), "/usr/bin/python3 write.py").code == 0);
  for (const auto& [file, labels] :
       std::vector<std::pair<std::string, std::string>>{
           {"names.npz", ""},
           {"last.npz", ""},
           {"grey.npz", ""},
           {"pair.pt", ""},
           {"nested.pth", ""},
           {"images.pt", "labels.pt"},
           {"images.npy", "labels.npy"},
           {"images.npy", "labels.pt"}}) {
    CAPTURE(file, labels);
    Json json = {{"type", "file"}, {"file", folder.path(file)}};
    if (!labels.empty()) json["labels"] = folder.path(labels);
    const SoftExamples got =
        CoresetRegistry::instance().make(json)->make(images(), 3, Key(1));
    CHECK(at::equal(got.inputs, x));
    CHECK(at::equal(got.labels, hot));
  }
}

TEST_CASE("a file that holds no examples is told in one sentence",
          "[coresets]") {
  const TemporaryFolder folder;
  const auto made = [&](const char* file, const Json& more = Json::object()) {
    Json json = {{"type", "file"}, {"file", folder.path(file)}};
    json.update(more);
    return CoresetRegistry::instance().make(json)->make(images(), 2, Key(1));
  };
  const Tensor x = at::zeros({2, 1, 2, 2});
  save_npz(folder.path("none.npz"), {{"inputs", x}});
  CHECK_THROWS_WITH(made("none.npz"),
                    ContainsSubstring("has no array 'labels'"));
  save_npz(folder.path("wrong.npz"),
           {{"inputs", x}, {"labels", at::tensor({0, 2}, at::kLong)}});
  CHECK_THROWS_WITH(made("wrong.npz"),
                    ContainsSubstring("should be classes from 0 to 1"));
  save_npz(folder.path("many.npz"),
           {{"inputs", x}, {"labels", at::zeros({2, 3})}});
  CHECK_THROWS_WITH(made("many.npz"),
                    ContainsSubstring("'labels' should be [2, 2] here"));
  folder.write("text.pt", "no archive");
  CHECK_THROWS_WITH(made("text.pt"),
                    ContainsSubstring("is no file of torch.save"));
  folder.write("table.csv", "1,2");
  CHECK_THROWS_WITH(made("table.csv"),
                    ContainsSubstring("is neither .npz nor .npy nor .pt"));
}

}  // namespace nestgrad
