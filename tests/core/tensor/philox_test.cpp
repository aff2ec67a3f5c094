#include "core/tensor/philox.h"

#include <ATen/ATen.h>
#include <ATen/core/PhiloxRNGEngine.h>

#include <vector>

#include "core/tensor/device.h"
#include "core/tensor/key.h"
#include "tests/fake_device/fake_device.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

const PhiloxStream kStreams[] = {{0, 4},
                                 {0x0123456789ABCDEF, 5003},
                                 {0xFFFFFFFFFFFFFFFF, 1},
                                 {7, 0},
                                 {0x80000000, 2048}};

/// The words of a stream by LibTorch's own generator.
Tensor by_engine(const PhiloxStream& stream) {
  std::vector<std::int64_t> words;
  for (std::int64_t first = 0; first < whole_blocks(stream.count);
       first += Key::kChunk) {
    at::Philox4_32 engine(stream.key,
                          static_cast<std::uint64_t>(first / Key::kChunk), 0);
    const std::int64_t last =
        std::min(first + Key::kChunk, whole_blocks(stream.count));
    for (std::int64_t i = first; i < last; ++i) words.push_back(engine());
  }
  return at::tensor(words, at::kLong);
}

ParameterSet some_tensors(const at::TensorOptions& options) {
  return {{"a", at::empty({5, 7}, options)},
          {"b", at::empty({}, options)},
          {"c", at::empty({3000}, options)}};
}

}  // namespace

TEST_CASE("tensor operators compute the words of Philox4x32-10", "[key]") {
  for (const PhiloxStream& stream : kStreams) {
    CAPTURE(stream.key, stream.count);
    CHECK(at::equal(philox_words({stream}, at::kCPU), by_engine(stream)));
  }
  std::vector<PhiloxStream> all;
  std::vector<Tensor> expected;
  for (const PhiloxStream& stream : kStreams) {
    all.push_back(stream);
    expected.push_back(by_engine(stream));
  }
  CHECK(at::equal(philox_words(all, at::kCPU), at::cat(expected)));
}

TEST_CASE("a device draws the numbers of the CPU and is sent none",
          "[key][device]") {
  const at::TensorOptions options = float64();
  const at::TensorOptions there = options.device(device_named("privateuseone"));
  const ParameterSet near = some_tensors(options), far = some_tensors(there);
  const Key key(11);
  const fake_device::Transfers before = fake_device::transfers();
  const Tensor uniform = key.uniform(far.at("c")),
               normal = key.normal(far.at("c"));
  CHECK(fake_device::transfers().to_device == before.to_device);
  const ParameterSet signs = key.signs(far), normals = key.normal(far);
  // Which tensor has which key, once for each set.
  CHECK(fake_device::transfers().to_device == before.to_device + 2);
  CHECK(fake_device::transfers().to_host == before.to_host);

  CHECK(at::equal(uniform.cpu(), key.uniform(near.at("c"))));
  CHECK(at::allclose(normal.cpu(), key.normal(near.at("c")), 1e-6, 1e-7));
  for (std::size_t i = 0; i < near.size(); ++i) {
    CAPTURE(near.name(i));
    CHECK(signs.tensors()[i].device() == there.device());
    CHECK(at::equal(signs.tensors()[i].cpu(), key.signs(near).tensors()[i]));
    CHECK(at::allclose(normals.tensors()[i].cpu(),
                       key.normal(near).tensors()[i], 1e-6, 1e-7));
  }
}

}  // namespace nestgrad
