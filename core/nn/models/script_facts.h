#pragma once

#include <torch/csrc/jit/api/module.h>

#include <set>
#include <string>
#include <vector>

#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// What the code of a TorchScript module says before it is run.
struct ScriptFacts {
  /// The method of a module that is called.
  static constexpr const char* kMethod = "forward";

  /// Reads kMethod and all that it calls. Throws Error if the module has none.
  explicit ScriptFacts(const torch::jit::Module& module);

  bool writes = false;     ///< an operator may write into a tensor
  bool forks = false;      ///< torch.jit.fork
  bool sparse = false;     ///< gradients of an embedding are sparse
  bool recurrent = false;  ///< has recurrent layers of LibTorch

  std::set<std::string> assigned;  ///< names of attributes that it assigns to
  std::vector<Tensor> constants;   ///< tensors in the code

  // A trace does not follow train() and eval(). What it has at the wrong time:
  bool always_drops = false;    ///< dropout, in evaluation as well
  bool never_drops = false;     ///< no dropout, in training neither
  bool keeps_averages = false;  ///< running averages, in training as well

  /// These three in a sentence; "" if the script follows both modes.
  std::string about_modes() const;

 private:
  void look_at(const torch::jit::Block& block);
  void look_at(const torch::jit::Node& node);
};

}  // namespace nestgrad
