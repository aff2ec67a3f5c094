#include "core/parallel/rank_sums.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/variable.h>

#include <utility>

#include "core/platform/tape_node.h"
#include "core/tensor/sum.h"

namespace nestgrad {
namespace {

using torch::autograd::variable_list;

enum class Way { kShares, kSum };

variable_list passed(const std::shared_ptr<World>& world, Way way,
                     const variable_list& in);

/// Puts `out` on the tape of `in`, by `node`; several copies may stand one
/// after the other in either. What comes from nothing on the tape stays off it,
/// so that nobody computes a gradient of it.
template <class Node>
void set_past(variable_list& out, const variable_list& in, const Node& node) {
  node->set_next_edges(torch::autograd::collect_next_edges(in));
  for (std::size_t i = 0; i < out.size(); ++i) {
    Tensor none;
    torch::autograd::set_history(
        in[i % in.size()].requires_grad() ? out[i] : none, node);
  }
}

/// A node of its own, because torch::autograd::Function does not look into
/// lists: what is given to it in one gets no gradient, without a word.
class PassNode : public torch::autograd::Node {
 public:
  PassNode(std::shared_ptr<World> world, Way way)
      : world_(std::move(world)), way_(way) {}

  std::string name() const override {
    return way_ == Way::kShares ? "SharesOf" : "Summed";
  }

  variable_list apply(variable_list&& gradient) override {
    variable_list wanted, out(gradient.size());
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      // What is asked for is the same on all ranks. A rank may have no gradient
      // where others have one.
      if (!task_should_compute_output(i)) continue;
      wanted.push_back(gradient[i].defined() ? gradient[i]
                                             : input_metadata(i).zeros_like());
      places.push_back(i);
    }
    const variable_list back =
        passed(world_, way_ == Way::kShares ? Way::kSum : Way::kShares, wanted);
    for (std::size_t i = 0; i < places.size(); ++i) out[places[i]] = back[i];
    return out;
  }

 private:
  std::shared_ptr<World> world_;
  Way way_;
};

variable_list copied(const variable_list& in, std::size_t copies);
variable_list pairwise_sums(const variable_list& in, std::size_t copies);

/// The way back of copied() or of pairwise_sums(), by which every derivative
/// sums pairwise; LibTorch would sum in a row. `copies` lists of equal length
/// are one list here.
class CopiesNode : public torch::autograd::Node {
 public:
  CopiesNode(std::size_t copies, bool sums) : copies_(copies), sums_(sums) {}

  std::string name() const override { return sums_ ? "SumOfCopies" : "Copies"; }

  variable_list apply(variable_list&& gradient) override {
    const std::size_t n = gradient.size() / (sums_ ? copies_ : 1);
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < n; ++i) {
      if (task_should_compute_output(i)) places.push_back(i);
    }
    variable_list wanted;
    for (std::size_t k = 0; k < gradient.size() / n; ++k) {
      for (const std::size_t i : places) {
        const Tensor& g = gradient[k * n + i];
        wanted.push_back(g.defined() ? g
                                     : input_metadata(k * n + i).zeros_like());
      }
    }
    const variable_list back =
        sums_ ? pairwise_sums(wanted, copies_) : copied(wanted, copies_);
    const std::size_t lists = sums_ ? 1 : copies_;
    variable_list out(lists * n);
    for (std::size_t k = 0; k < lists; ++k) {
      for (std::size_t i = 0; i < places.size(); ++i) {
        out[k * n + places[i]] = back[k * places.size() + i];
      }
    }
    return out;
  }

 private:
  std::size_t copies_;
  bool sums_;
};

variable_list copied(const variable_list& in, std::size_t copies) {
  variable_list out;
  for (std::size_t k = 0; k < copies; ++k) {
    for (const Tensor& t : in) out.push_back(t.variable_data());
  }
  if (torch::autograd::compute_requires_grad(in)) {
    set_past(out, in,
             torch_versions::new_node<CopiesNode>(copies, /*sums=*/true));
  }
  return out;
}

variable_list pairwise_sums(const variable_list& in, std::size_t copies) {
  const std::size_t n = in.size() / copies;
  variable_list out;
  for (std::size_t i = 0; i < n; ++i) {
    variable_list terms;
    for (std::size_t k = 0; k < copies; ++k) {
      terms.push_back(in[k * n + i].variable_data());
    }
    out.push_back(pairwise_sum(std::move(terms)));
  }
  if (torch::autograd::compute_requires_grad(in)) {
    set_past(out, in,
             torch_versions::new_node<CopiesNode>(copies, /*sums=*/false));
  }
  return out;
}

/// In one exchange.
variable_list sums(World& world, const variable_list& in) {
  if (in.size() == 1) return {world.sum(in[0])};
  std::vector<std::int64_t> sizes;
  variable_list flat, out;
  for (const Tensor& t : in) {
    flat.push_back(t.reshape(-1));
    sizes.push_back(t.numel());
  }
  const std::vector<Tensor> parts =
      world.sum(at::cat(flat)).split_with_sizes(sizes);
  for (std::size_t i = 0; i < in.size(); ++i) {
    out.push_back(parts[i].view(in[i].sizes()).to(in[i].scalar_type()));
  }
  return out;
}

variable_list passed(const std::shared_ptr<World>& world, Way way,
                     const variable_list& in) {
  if (in.empty()) return {};
  const bool taped = torch::autograd::compute_requires_grad(in);
  variable_list out;
  {
    const at::NoGradGuard no_tape;
    out = way == Way::kSum ? sums(*world, in) : in;
    // Tensors without a past, which those that are handed on have.
    for (Tensor& t : out) t = t.variable_data();
  }
  if (taped) {
    set_past(out, in, torch_versions::new_node<PassNode>(world, way));
  }
  return out;
}

}  // namespace

Tensor PairwiseWorld::sum(const Tensor& own) {
  return pairwise_sum(world_->gather(own).unbind()).to(own.device());
}

std::vector<std::vector<Tensor>> copies_of(const std::vector<Tensor>& tensors,
                                           std::size_t copies) {
  if (copies == 1) return {tensors};
  const variable_list all = copied(tensors, copies);
  std::vector<std::vector<Tensor>> out;
  const auto n = static_cast<std::ptrdiff_t>(tensors.size());
  for (auto first = all.begin(); out.size() < copies; first += n) {
    out.emplace_back(first, first + n);
  }
  return out;
}

std::vector<Tensor> sums_of(const std::vector<std::vector<Tensor>>& copies) {
  if (copies.size() == 1) return copies.front();
  variable_list all;
  for (const auto& tensors : copies) {
    all.insert(all.end(), tensors.begin(), tensors.end());
  }
  return pairwise_sums(all, copies.size());
}

std::vector<Tensor> shares_of(const std::shared_ptr<World>& world,
                              const std::vector<Tensor>& common) {
  return world->alone() ? common : passed(world, Way::kShares, common);
}

std::vector<Tensor> summed(const std::shared_ptr<World>& world,
                           const std::vector<Tensor>& shares) {
  return world->alone() ? shares : passed(world, Way::kSum, shares);
}

}  // namespace nestgrad
