// Learned examples that start from a file.

#include <ATen/ATen.h>

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
  data.mean = at::full({1, 1, 1, 1}, 0.5);
  data.deviation = at::full({1, 1, 1, 1}, 0.25);
  const Tensor bytes = at::full({2, 1, 2, 2}, 255, at::kByte);
  CHECK(at::allclose(started(folder, bytes, data), at::full({2, 1, 2, 2}, 2.)));
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

}  // namespace nestgrad
