#pragma once

#include <ATen/core/dispatch/Dispatcher.h>

#include <optional>
#include <string>
#include <vector>

#include "core/nn/exported/operand.h"
#include "core/nn/exported/operators.h"
#include "core/nn/exported/program.h"

namespace nestgrad {

/// An exported graph, ready to be run: each node is a call through LibTorch's
/// dispatcher, so it has the derivatives that its operators have there.
///
/// An operator is trusted to check what it is given. Therefore those that are
/// known not to are refused: LibTorch's internal ones ("aten._...") except the
/// few that exports consist of, derivatives ("..._backward"), and those that
/// exchange or resize the memory of a tensor. A file from a stranger is a
/// program all the same, and can take any amount of time and memory.
class ExportedGraph {
 public:
  /// `own_type`: that of the file's weights. Throws Error for operators that
  /// this LibTorch does not know and arguments that do not fit, by name.
  ExportedGraph(const ExportedProgram& program, at::ScalarType own_type);

  /// `values`: one entry for each value of the program; the state and the input
  /// are set. Throws Error, naming the operator that fails.
  Tensor operator()(std::vector<c10::IValue> values,
                    const ExportedRun& run) const;

  /// Whether an operator may write into a tensor, as far as schemas tell. What
  /// they do not tell, running averages and noise, is written into copies.
  bool writes() const { return writes_; }

  /// Properties that were fixed when the graph was exported and that surprise,
  /// each in a sentence.
  std::vector<std::string> warnings() const;

 private:
  struct Step {
    std::string name;                          // "aten.linear.default"
    std::optional<c10::OperatorHandle> torch;  // null: an own operator
    const OwnOperator* own = nullptr;
    std::vector<Operand> operands;
    std::vector<std::size_t> outputs;
    bool output_is_list = false;
    std::vector<std::size_t> last_uses;  // values that nobody needs later

    // Values that it writes into although its schema does not say so.
    std::vector<std::size_t> written;
    bool recurrent = false;

    const c10::FunctionSchema& schema() const {
      return own != nullptr ? own->schema : torch->schema();
    }
    std::size_t place_of(const std::string& argument) const;
    Operand* operand(const char* argument);
    c10::IValue constant(const char* argument);
  };

  static Step found(const ExportedNode& node);
  static void set_operands(Step& step, const ExportedNode& node,
                           at::ScalarType own_type);
  void look_at(Step& step);
  void look_at_noise(Step& step);
  void find_last_uses();
  void run_step(const Step& step, std::vector<c10::IValue>& values,
                const ExportedRun& run) const;

  std::vector<Step> steps_;
  std::vector<ExportedShape> shapes_;  // of all values
  std::size_t output_;
  bool writes_ = false;
  bool never_drops_ = false;     // its dropout is off in training
  bool keeps_averages_ = false;  // of the file, in training as well
  std::string always_random_;    // an operator that draws in evaluation; or ""
};

}  // namespace nestgrad
