#pragma once

#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// Whether what is computed may itself be differentiated.
enum class Tape { kOff, kOn };

/// Whether the graph that is walked may be walked again.
enum class Graph { kConsume, kKeep };

// The only doors to LibTorch's autograd. Nothing in this project calls
// Tensor::backward or reads Tensor::grad: accumulated gradients are hidden
// state, and with create_graph they leak (a reference cycle).

/// d loss / d wrt. Zero where the loss does not depend on a parameter.
/// `loss` is a scalar.
ParameterSet gradient(const Tensor& loss, const ParameterSet& wrt,
                      Tape tape = Tape::kOff, Graph graph = Graph::kConsume);

/// v' (d out / d wrt), for `out` alike to `v`. Keeps the graph by default, so
/// that an iterative solver may ask for many products with one Jacobian.
ParameterSet vjp(const ParameterSet& out, const ParameterSet& wrt,
                 const ParameterSet& v, Tape tape = Tape::kOff,
                 Graph graph = Graph::kKeep);

/// Whether `out` is on the tape of one of the leaves `of`. Looks no further
/// back than the tensors `until`.
bool depends_on(const Tensor& out, const std::vector<Tensor>& of,
                const std::vector<Tensor>& until);

/// A loss and both of its partial derivatives, from one walk of its graph.
struct Partials {
  double loss;
  ParameterSet weights;
  ParameterSet hyper;
};
Partials partials(const Tensor& loss, const ParameterSet& weights,
                  const ParameterSet& hyper);

/// t -> (d out / d wrt) t: forward mode, for any number of tangents t.
///
/// Made of two walks backwards: v' (d out / d wrt) is linear in v, so its
/// derivative with respect to v, from the left by t, is the product that is
/// wanted. Exact; works for every operation that has a second derivative,
/// while LibTorch's own forward mode lacks formulas for some.
class Pushforward {
 public:
  /// `out` is on the tape of the leaves `wrt`.
  Pushforward(const ParameterSet& out, const ParameterSet& wrt);

  /// `tangent` is alike to `wrt`; the result to `out`, off tape.
  ParameterSet operator()(const ParameterSet& tangent) const;

 private:
  ParameterSet v_;       // leaves; their numbers do not matter
  ParameterSet pulled_;  // v' (d out / d wrt), on the tape of v
};

// Dual numbers x + e t, with e^2 = 0: a value x, its primal, and a tangent t,
// which operators carry along. There are such while a DualNumbers lives; primal
// and tangent may both be on a tape.

/// While one lives, tensors may be dual. LibTorch has room for one in a
/// process: another waits until the first has gone.
class DualNumbers {
 public:
  DualNumbers();
  ~DualNumbers();
  DualNumbers(const DualNumbers&) = delete;
  DualNumbers& operator=(const DualNumbers&) = delete;
};

/// x + e t.
Tensor with_tangent(const Tensor& x, const Tensor& t);

/// Whether there is a tangent.
bool is_dual(const Tensor& x);

/// x of x + e t.
Tensor primal(const Tensor& dual);

/// t of x + e t, a tensor of zeros if there is none.
Tensor tangent(const Tensor& dual);

/// x + t, the value at e = 1 of a function of e, to first order. A plain tensor
/// is returned as it is.
Tensor to_first_order(const Tensor& dual);

}  // namespace nestgrad
