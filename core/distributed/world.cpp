#include "core/distributed/world.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

namespace nestgrad {
namespace {

class Alone : public World {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  Tensor gather(const Tensor& own) override {
    return own.unsqueeze(0).to(at::kCPU);
  }
  Tensor sum(const Tensor& own) override { return own; }
  std::string from_first(const std::string& bytes) override { return bytes; }
  void fail(const std::string&) override {}
  void part() override {}
};

}  // namespace

std::shared_ptr<World> alone() {
  static const auto only = std::make_shared<Alone>();
  return only;
}

Tensor gather_rows(World& world, const Tensor& own, std::int64_t n) {
  if (world.alone()) return own;
  // Parts of one size: some have a row more than others.
  const std::int64_t most = (n + world.size() - 1) / world.size();
  std::vector<std::int64_t> sizes = own.sizes().vec();
  sizes[0] = most - own.size(0);
  const Tensor all =
      world.gather(at::cat({own.detach(), own.new_zeros(sizes)}));
  std::vector<Tensor> parts;
  for (std::int64_t r = 0; r < world.size(); ++r) {
    parts.push_back(all[r].narrow(0, 0, Division(n, r, world.size()).count));
  }
  return at::cat(parts).to(own.device());
}

std::vector<std::string> gather_bytes(World& world, const std::string& own) {
  const Tensor lengths = world.gather(
      at::scalar_tensor(static_cast<std::int64_t>(own.size()), at::kLong));
  Tensor padded = at::zeros({lengths.max().item<std::int64_t>()}, at::kByte);
  std::copy(own.begin(), own.end(), static_cast<char*>(padded.data_ptr()));
  const Tensor all = world.gather(padded);
  std::vector<std::string> out;
  for (std::int64_t r = 0; r < world.size(); ++r) {
    const Tensor one = all[r].contiguous();
    out.emplace_back(static_cast<const char*>(one.data_ptr()),
                     static_cast<std::size_t>(lengths[r].item<std::int64_t>()));
  }
  return out;
}

}  // namespace nestgrad
