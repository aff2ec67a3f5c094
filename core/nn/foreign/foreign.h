#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <unordered_map>
#include <vector>

#include "core/tensor/key.h"
#include "core/tensor/parameter_set.h"

// What makes pure functions of foreign networks: scripts and modules, which
// hold their tensors themselves, may write into whatever they are given, and
// draw from LibTorch's generator.

namespace nestgrad {

/// The arguments of a foreign network.
struct ForeignArguments {
  std::vector<Tensor> weights;
  Tensor input;
};

/// What is known of a foreign network before it is called.
struct ForeignNetwork {
  std::function<Tensor(const ForeignArguments&)> call;

  /// Its own trained parameters, for which the weights stand.
  std::vector<Tensor> own;

  /// How it might reach one of `own` all the same, for the message then.
  const char* detour = "";

  /// Tensors of its own that a call cannot replace.
  std::vector<Tensor> constants;

  /// Whether it has recurrent layers of LibTorch.
  bool recurrent = false;

  /// False if no operator in it writes into a tensor.
  bool may_write = true;
};

/// Calls a foreign network so that the output depends on the arguments alone,
/// and nothing of the program changes:
///
/// - LibTorch's generators follow the key, and are afterwards where they were.
///   (The one of the CPU looks at 32 bits of a seed only, which is enough for
///   what a mask is.)
/// - Whether a tape is recorded, the default type of tensors and the number of
///   threads are afterwards what they were.
/// - An argument that an operator writes into is copied. This is found out when
///   it is about to happen: the call is then given up and made again with a
///   copy of that argument, and so are all later calls.
///
/// Memory that is written through a bare pointer is not noticed.
///
/// There is one generator per process, so calls are serialised by a lock.
class ForeignCalls {
 public:
  /// Throws Unsupported if the output depends on one of the network's own
  /// parameters, or on none of the weights although they are on a tape, or if
  /// the network writes into its constants.
  Tensor operator()(const ForeignNetwork& network,
                    const ForeignArguments& arguments, const Key& key) const;

 private:
  /// Which arguments the network writes into, the input last.
  mutable std::vector<bool> written_;
};

/// Tensors by what stands for them.
using Substitutes = std::unordered_map<const c10::TensorImpl*, Tensor>;

/// out = f(), where every operator receives substitutes for its arguments.
Tensor with_substitutes(const Substitutes& substitutes,
                        const std::function<Tensor()>& f);

/// A tensor of a network that a call may write into, of the weights' type if it
/// holds floating-point numbers.
Tensor scratch_copy(const Tensor& own, const at::TensorOptions& of_weights);

}  // namespace nestgrad
