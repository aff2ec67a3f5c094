#pragma once

#include "core/parameter_set.h"

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

/// v' (d out / d wrt), for `out` alike to `v`. Keeps the graph, so that an
/// iterative solver may ask for many products with one Jacobian.
ParameterSet vjp(const ParameterSet& out, const ParameterSet& wrt,
                 const ParameterSet& v, Tape tape = Tape::kOff);

/// Both partial derivatives of a loss, from one walk of its graph.
struct Partials {
  ParameterSet weights;
  ParameterSet hyper;
};
Partials partials(const Tensor& loss, const ParameterSet& weights,
                  const ParameterSet& hyper);

}  // namespace nestgrad
