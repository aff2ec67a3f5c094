#pragma once

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/grad_mode.h>

#include "core/tensor/number.h"
#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// Whether the result may itself be differentiated.
enum class Tape { kOff, kOn };

/// Whether the graph may be walked again afterwards.
enum class Graph { kConsume, kKeep };

/// While one lives, operators of this thread do not even check whether there is
/// a tape: small ones take an eighth less time. For formulas off the tape;
/// gradient() and vjp() throw Error in it.
class OffTape {
 private:
  at::NoGradGuard no_grad_;
  at::AutoDispatchBelowADInplaceOrView below_;
};

// All use of LibTorch's autograd is behind the functions of this file. Nothing
// in this project calls Tensor::backward or reads Tensor::grad: accumulated
// gradients are hidden state, and with create_graph they leak (a reference
// cycle).

/// d loss / d wrt, for a scalar `loss`. Zero for a tensor that the loss does
/// not depend on.
ParameterSet gradient(const Tensor& loss, const ParameterSet& wrt,
                      Tape tape = Tape::kOff, Graph graph = Graph::kConsume);

/// v' (d out / d wrt), for `v` alike to `out`. Keeps the graph by default,
/// because an iterative solver needs many products with one Jacobian.
ParameterSet vjp(const ParameterSet& out, const ParameterSet& wrt,
                 const ParameterSet& v, Tape tape = Tape::kOff,
                 Graph graph = Graph::kKeep);

/// The same for lists of tensors, which saves small networks the names.
std::vector<Tensor> vjp(const std::vector<Tensor>& out,
                        const std::vector<Tensor>& wrt,
                        const std::vector<Tensor>& v, Tape tape = Tape::kOff,
                        Graph graph = Graph::kKeep);

/// The same places on the tape for vjp(), which does not need the numbers of
/// `out`, so that these leave memory. Numbers of the result are zeros, and
/// nothing may be written into them.
ParameterSet without_numbers(const ParameterSet& out);

/// Whether `out` depends on one of the leaves `of`. The search stops at the
/// tensors `until`.
bool depends_on(const Tensor& out, const std::vector<Tensor>& of,
                const std::vector<Tensor>& until);

/// A loss and both of its partial derivatives, from one backward pass. Zeros
/// may be one number in memory, so nothing may be written into them.
struct Partials {
  Number loss;
  ParameterSet weights;
  ParameterSet hyper;
};
Partials partials(const Tensor& loss, const ParameterSet& weights,
                  const ParameterSet& hyper);

/// t -> (d out / d wrt) t: forward mode, for any number of tangents t.
///
/// Computed by two backward passes: v' (d out / d wrt) is linear in v, so its
/// vjp by t with respect to v is (d out / d wrt) t. Exact. Works for every
/// operation that has a second derivative, whereas LibTorch's own forward mode
/// lacks formulas for some.
class Pushforward {
 public:
  /// `out` is on the tape of the leaves `wrt`.
  Pushforward(const ParameterSet& out, const ParameterSet& wrt);

  /// `tangent` is alike to `wrt`, the result to `out`. Off tape.
  ParameterSet operator()(const ParameterSet& tangent) const;

 private:
  ParameterSet v_;       // leaves; their numbers do not matter
  ParameterSet pulled_;  // v' (d out / d wrt), on the tape of v
};

// Dual numbers x + e t, with e^2 = 0: a value x (the primal) and a tangent t
// that operators carry along. They exist only during the life of a DualNumbers.
// Primal and tangent may both be on a tape.

/// Allows dual tensors during its life. LibTorch has one level of forward mode
/// per process, so a second DualNumbers waits until the first is destroyed.
class DualNumbers {
 public:
  DualNumbers();
  ~DualNumbers();
  DualNumbers(const DualNumbers&) = delete;
  DualNumbers& operator=(const DualNumbers&) = delete;
};

/// x + e t.
Tensor with_tangent(const Tensor& x, const Tensor& t);

/// Whether `x` has a tangent.
bool is_dual(const Tensor& x);

/// x of x + e t.
Tensor primal(const Tensor& dual);

/// t of x + e t; zeros if there is no tangent.
Tensor tangent(const Tensor& dual);

/// x + t, the value at e = 1 of a function of e, to first order. A plain tensor
/// is returned as it is.
Tensor to_first_order(const Tensor& dual);

/// The same for every tensor. A set without dual numbers is returned as it is,
/// so that a set made from one vector stays one; see ParameterSet::whole().
ParameterSet to_first_order(const ParameterSet& duals);

}  // namespace nestgrad
