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
class ExportedGraph {
 public:
  /// `own_type`: that of the file's weights. Throws Error for operators that
  /// this LibTorch does not know and arguments that do not fit, by name.
  ExportedGraph(const ExportedProgram& program, at::ScalarType own_type);

  /// `values`: one entry for each value of the program; the state and the input
  /// are set. Throws Error, naming the operator that fails.
  Tensor operator()(std::vector<c10::IValue> values,
                    const ExportedRun& run) const;

  /// Whether an operator may write into a tensor.
  bool writes() const { return writes_; }

  /// Properties that were fixed when the graph was exported and that surprise
  /// in a sentence; "" if it has none.
  std::string warning() const;

 private:
  struct Step {
    std::string name;                          // "aten.linear.default"
    std::optional<c10::OperatorHandle> torch;  // null: an own operator
    const OwnOperator* own = nullptr;
    std::vector<Operand> operands;
    std::vector<std::size_t> outputs;
    bool output_is_list = false;
    std::vector<std::size_t> last_uses;  // values that nobody needs later
  };

  static Step found(const ExportedNode& node);
  static void set_operands(Step& step, const ExportedNode& node,
                           at::ScalarType own_type);
  void look_at(Step& step);
  void find_last_uses();
  void run_step(const Step& step, std::vector<c10::IValue>& values,
                const ExportedRun& run) const;

  std::vector<Step> steps_;
  std::vector<ExportedShape> shapes_;  // of all values
  std::size_t output_;
  bool writes_ = false;
  bool never_drops_ = false;     // its dropout is off in training
  bool keeps_averages_ = false;  // of the file, in training as well
  bool always_random_ = false;   // noise in evaluation
};

}  // namespace nestgrad
