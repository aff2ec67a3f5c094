#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "core/distributed/world.h"

namespace nestgrad {

// Derivatives of what all ranks compute together. A tensor is either *common*,
// the same numbers on all ranks, with a gradient that is the same, or a
// *share*, of which each rank has its own. Two functions lead from one kind to
// the other. Each is the other's way back, so that any number of derivatives
// may be taken (Shoeybi et al. 2019, "Megatron-LM", call them f and g):
//
//   shares_of   common -> share   the same numbers; way back: summed
//   summed      share -> common   the sum over ranks; way back: shares_of
//
// Both are collective, in the order in which the tape comes to them, which is
// the same on all ranks. They take as many tensors as there are, because a sum
// of many is one exchange, and because all that a share depends on must come
// through one call of shares_of(): with two, a rank whose share happens not to
// depend on one of them would not come to its sum.

std::vector<Tensor> shares_of(const std::shared_ptr<World>& world,
                              const std::vector<Tensor>& common);

std::vector<Tensor> summed(const std::shared_ptr<World>& world,
                           const std::vector<Tensor>& shares);

// The same two for several shares of one rank, [copies][tensors]. Sums, also
// those of derivatives of any order, are made pairwise; see core/tensor/sum.h.

std::vector<std::vector<Tensor>> copies_of(const std::vector<Tensor>& tensors,
                                           std::size_t copies);

std::vector<Tensor> sums_of(const std::vector<std::vector<Tensor>>& copies);

/// The same ranks, which sum pairwise, in an order that is known: 2^n ranks
/// that each have summed 2^m terms pairwise get what one rank gets that sums
/// all. A sum takes as much memory and time as there are ranks.
class PairwiseWorld : public World {
 public:
  explicit PairwiseWorld(std::shared_ptr<World> world)
      : world_(std::move(world)) {}

  int rank() const override { return world_->rank(); }
  int size() const override { return world_->size(); }
  Tensor gather(const Tensor& own) override { return world_->gather(own); }
  Tensor sum(const Tensor& own) override;
  std::string from_first(const std::string& bytes) override {
    return world_->from_first(bytes);
  }
  void fail(const std::string& reason) override { world_->fail(reason); }
  void part() override { world_->part(); }

 private:
  std::shared_ptr<World> world_;
};

}  // namespace nestgrad
