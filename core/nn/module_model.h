#pragma once

#include <functional>
#include <memory>

#include "core/nn/model.h"

namespace torch::nn {
class Module;
}

namespace nestgrad {

/// Any torch::nn::Module as a Model, without a change to its code:
///
///   auto net = std::make_shared<Net>();
///   wrap_module(net, [net](const Tensor& x) { return net->forward(x); });
///
/// A module reads its parameters from members that cannot be reached from
/// outside. So during forward() every LibTorch operator that is about to
/// receive one of the module's own parameters receives the entry of `weights`
/// with that name instead (a dispatch mode; docs/design.md). The module is
/// never written to, and its buffers are replaced by scratch copies: running
/// averages stay what they are, and modules that have them use the statistics
/// of the batch, in evaluation as well. train() and eval() follow the pass,
/// dropout its key. A module that writes into its input or its parameters
/// writes into copies. Calls are serialised by a lock.
///
/// initial_weights() are those that the module has.
///
/// LIMITS: a parameter that is handed directly to a custom
/// torch::autograd::Function does not pass through an operator, and its
/// gradient would be lost. Every call on a tape looks for that and throws
/// Unsupported. Members that are neither parameters nor buffers keep what a
/// call leaves in them, so a module must not have any that change its output.
std::unique_ptr<Model> wrap_module(
    std::shared_ptr<torch::nn::Module> module,
    std::function<Tensor(const Tensor& input)> call);

}  // namespace nestgrad
