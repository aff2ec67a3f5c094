#include "hypergrad/outer_rule.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

namespace nestgrad {
namespace {

/// Numbers that are moved at once.
constexpr std::int64_t kPiece = 1 << 20;

/// Tensors of fewer numbers are not divided.
constexpr std::int64_t kLeastDivided = 4096;

/// Ranks divide rows of so many numbers, which fill the registers of any
/// processor: other remainders could be rounded differently.
constexpr std::int64_t kRow = 64;

/// Consecutive numbers of a tensor.
struct Numbers {
  std::int64_t first, count;
};

/// The part of `n` numbers that a rank moves.
Numbers part_of(std::int64_t n, int rank, const World& world) {
  const Division rows((n + kRow - 1) / kRow, rank, world.size());
  const std::int64_t first = rows.first * kRow;
  return {first, std::min(n, first + rows.count * kRow) - first};
}

/// Number `k` of the pieces that a part consists of; may be empty.
Numbers piece_of(const Numbers& part, std::int64_t k) {
  const std::int64_t begin = std::min(part.count, k * kPiece);
  return {part.first + begin, std::min(kPiece, part.count - begin)};
}

Tensor narrowed(const Tensor& flat, const Numbers& numbers) {
  return flat.narrow(0, numbers.first, numbers.count);
}

}  // namespace

OuterRule::OuterRule(std::shared_ptr<const Optimizer> rule,
                     std::shared_ptr<World> world)
    : rule_(std::move(rule)), world_(std::move(world)) {
  require(world_->alone() || rule_->moves_each_number(),
          "this rule looks at all hyperparameters at once, so its memory "
          "cannot be divided among ranks");
}

bool OuterRule::in_pieces(const Tensor& numbers) const {
  return rule_->moves_each_number() &&
         (numbers.numel() > kPiece || is_divided(numbers));
}

bool OuterRule::is_divided(const Tensor& numbers) const {
  return !world_->alone() && numbers.numel() >= kLeastDivided;
}

void OuterRule::begin(const ParameterSet& hyper) {
  state_ = {hyper.detach().map([this](const Tensor& t) {
              return in_pieces(t) ? t.contiguous() : t;
            }),
            {},
            0};
  const ParameterSet own = state_.weights.map([&](const Tensor& t) {
    if (!is_divided(t)) return t;
    return narrowed(t.view(-1), part_of(t.numel(), world_->rank(), *world_));
  });
  state_.slots = rule_->slots(own);
}

ParameterSet OuterRule::begin_step(const ParameterSet& gradient) {
  const at::NoGradGuard no_tape;
  const ParameterSet& hyper = state_.weights;
  const auto long_ones =
      std::count_if(hyper.tensors().begin(), hyper.tensors().end(),
                    [this](const Tensor& t) { return in_pieces(t); });
  if (long_ones == 0) {
    TrainState next = rule_->step(state_, gradient, {});
    state_.slots = std::move(next.slots);
    return next.weights;
  }
  std::vector<Tensor> out;
  for (std::size_t i = 0; i < hyper.size(); ++i) {
    out.push_back(moved(i, gradient.tensors()[i]));
  }
  return hyper.with(std::move(out));
}

Tensor OuterRule::moved(std::size_t i, const Tensor& gradient) {
  const Tensor& old = state_.weights.tensors()[i];
  std::vector<Tensor> slots;  // of this tensor
  for (std::size_t j = i; j < state_.slots.size(); j += state_.weights.size()) {
    slots.push_back(state_.slots.tensors()[j]);
  }
  /// A step of some of the numbers. `own`: their slots, which are overwritten.
  const auto step = [&](const Tensor& w, const Tensor& g,
                        const std::vector<Tensor>& own) {
    const ParameterSet weights{{state_.weights.name(i), w}};
    const TrainState next =
        rule_->step({weights, rule_->slots(weights).with(own), state_.step},
                    weights.with({g}), {});
    for (std::size_t j = 0; j < own.size(); ++j) {
      own[j].copy_(next.slots.tensors()[j]);
    }
    return next.weights.tensors().front();
  };
  if (!in_pieces(old)) return step(old, gradient, slots);

  const Tensor w = old.view(-1), g = gradient.reshape(-1);
  Tensor out = at::empty_like(w);
  const bool divided = is_divided(old);
  const World& world = divided ? *world_ : *alone();
  std::vector<Numbers> parts;
  for (int r = 0; r < world.size(); ++r) {
    parts.push_back(part_of(w.numel(), r, world));
  }
  const Numbers& own = parts[static_cast<std::size_t>(world.rank())];
  for (std::int64_t k = 0;; ++k) {
    std::vector<Numbers> pieces;
    std::int64_t longest = 0;
    for (const Numbers& part : parts) {
      pieces.push_back(piece_of(part, k));
      longest = std::max(longest, pieces.back().count);
    }
    if (longest == 0) break;
    const Numbers piece = pieces[static_cast<std::size_t>(world.rank())];
    std::vector<Tensor> memory;
    for (const Tensor& slot : slots) {
      memory.push_back(
          slot.view(-1).narrow(0, piece.first - own.first, piece.count));
    }
    const Tensor next = step(narrowed(w, piece), narrowed(g, piece), memory);
    if (!divided) {
      narrowed(out, piece).copy_(next);
      continue;
    }
    Tensor padded = next.new_zeros({longest});
    padded.narrow(0, 0, piece.count).copy_(next);
    const Tensor all = world_->gather(padded);
    for (std::size_t r = 0; r < pieces.size(); ++r) {
      narrowed(out, pieces[r])
          .copy_(
              all[static_cast<std::int64_t>(r)].narrow(0, 0, pieces[r].count));
    }
  }
  return out.view(old.sizes());
}

void OuterRule::accept(ParameterSet hyper) {
  state_.weights = std::move(hyper);
  ++state_.step;
}

void OuterRule::persist(Archive& archive) {
  TrainState whole = state_;
  const auto of_slots = [this](const ParameterSet& slots, const auto& f) {
    std::vector<Tensor> out;
    for (std::size_t j = 0; j < slots.size(); ++j) {
      const Tensor& t = state_.weights.tensors()[j % state_.weights.size()];
      const Tensor& slot = slots.tensors()[j];
      out.push_back(is_divided(t) ? f(t, slot) : slot);
    }
    return slots.with(std::move(out));
  };
  if (!archive.restoring()) {
    whole.slots =
        of_slots(whole.slots, [&](const Tensor& t, const Tensor& own) {
          // Rows of which the last may be incomplete.
          const std::int64_t n = t.numel(), rows = (n + kRow - 1) / kRow;
          const std::int64_t count = Division(rows, *world_).count;
          const Tensor padded =
              at::cat({own, own.new_zeros({count * kRow - own.numel()})});
          return gather_rows(*world_, padded.view({count, kRow}), rows)
              .view(-1)
              .narrow(0, 0, n)
              .view(t.sizes());
        });
  }
  whole.persist(archive);
  if (!archive.restoring()) return;
  state_ = whole;
  state_.slots = of_slots(whole.slots, [&](const Tensor& t, const Tensor& all) {
    return narrowed(all.reshape(-1),
                    part_of(t.numel(), world_->rank(), *world_))
        .clone();
  });
}

}  // namespace nestgrad
