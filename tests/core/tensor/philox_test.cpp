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

const PhiloxStream kStreams[] = {
    {0, 4}, {0x0123456789ABCDEF, 5003}, {0xFFFFFFFFFFFFFFFF, 1},
    {7, 0}, {0x80000000, 2048},         {0x0123456789ABCDEF, 1500, 1020}};

/// The words of a stream by LibTorch's own generator.
Tensor by_engine(const PhiloxStream& stream) {
  std::vector<std::int64_t> words;
  const std::int64_t end = stream.first + whole_blocks(stream.count);
  for (std::int64_t chunk = 0; chunk < end; chunk += Key::kChunk) {
    at::Philox4_32 engine(stream.key,
                          static_cast<std::uint64_t>(chunk / Key::kChunk), 0);
    const std::int64_t last = std::min(chunk + Key::kChunk, end);
    for (std::int64_t i = chunk; i < last; ++i) {
      const std::int64_t word = engine();
      if (i >= stream.first) words.push_back(word);
    }
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
    CAPTURE(stream.key, stream.count, stream.first);
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

TEST_CASE("a part of a draw has the numbers that the whole draw has there",
          "[key]") {
  const Key key(13);
  for (const at::Device device :
       {at::Device(at::kCPU), device_named("privateuseone")}) {
    CAPTURE(device);
    const auto like = [&](std::int64_t n) {
      return at::empty({n}, float64().device(device));
    };
    const Tensor uniform = key.uniform(like(5000));
    const Tensor normal = key.normal(like(5000));
    const Tensor signs = key.signs(like(5000));
    for (const std::int64_t first :
         {0, 1, 2, 4, 1022, 1023, 1024, 1025, 3001}) {
      for (const std::int64_t count : {1, 2, 7, 1500}) {
        CAPTURE(first, count);
        const auto same = [&](const Tensor& part, const Tensor& whole) {
          return at::equal(part.cpu(), whole.narrow(0, first, count).cpu());
        };
        CHECK(same(key.uniform(like(count), first), uniform));
        CHECK(same(key.normal(like(count), first), normal));
        CHECK(same(key.signs(like(count), first), signs));
      }
    }
  }
  CHECK_THROWS_AS(key.uniform(at::empty({2}), -1), Error);
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
