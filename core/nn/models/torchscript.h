#pragma once

#include <string>

#include "core/nn/foreign/foreign.h"
#include "core/nn/model.h"

namespace nestgrad {

/// A TorchScript file (torch.jit.script or torch.jit.trace, then save) as a
/// Model: a network that was written, and perhaps trained, in Python.
///
/// A script reads its parameters from slots that can be set from outside, so
/// forward() puts `weights` there, runs the script, and puts the script's own
/// tensors back. Nothing on a tape refers to the slots, so unrolled and second
/// derivatives are right. Names of weights are those of Python's
/// named_parameters(); parameters that do not require gradients are constants.
///
/// Buffers (running averages) and all else that a script keeps in attributes
/// are replaced by scratch copies in every call: the function is pure, and they
/// stay what they are in the file. Modules with running averages use the
/// statistics of the batch, in evaluation as well, like nestgrad's own
/// batch_norm. Noise of training (dropout) follows the key of the pass. A trace
/// follows neither train() nor eval(); the constructor warns of dropout and
/// batch norm in one.
///
/// What a script may not change stays as it is: see ForeignCalls.
class TorchScript : public ForeignModel {
 public:
  static Schema schema();

  /// Throws ConfigError if the file cannot be read, if it has been frozen (its
  /// parameters are constants then), or if the outputs do not depend on the
  /// weights.
  TorchScript(const Config& config, const Shape& input, const Shape& outputs);
  ~TorchScript() override;

  ParameterSet initial_weights(const Key& key) const override;

 private:
  /// Throws Error if the output has another shape than is wanted.
  Tensor call(const std::vector<Tensor>& weights, const Tensor& input,
              const Pass& pass) const override;

  friend void save_torchscript(const std::string&, const ParameterSet&,
                               const std::string&);

  /// Calls the script with zeros and throws Unsupported if derivatives with
  /// respect to the weights are lost.
  void require_gradient(const Shape& input) const;

  struct Script;
  std::unique_ptr<Script> script_;
  ForeignCalls calls_;
  Shape outputs_;
  bool shuffled_;
};

/// Writes the script in `file` with other weights to the file `to`, which
/// torch.jit.load() reads in Python and C++. `weights` have the names and
/// shapes of the script's own. Throws Error if a file cannot be read or
/// written.
void save_torchscript(const std::string& file, const ParameterSet& weights,
                      const std::string& to);

}  // namespace nestgrad
