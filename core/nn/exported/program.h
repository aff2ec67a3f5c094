#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "core/config/json_file.h"
#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// An argument of an operator: a constant, a value by its number, or a list of
/// arguments.
struct ExportedArgument {
  enum class Kind {
    kNone,
    kValue,
    kInteger,
    kNumber,
    kBool,
    kText,
    kType,          ///< of elements
    kLayout,        ///< always strided
    kMemoryFormat,  ///< a c10::MemoryFormat
    kDevice,        ///< whichever: it becomes that of the weights
    kList
  };
  Kind kind = Kind::kNone;
  std::size_t value = 0;
  std::int64_t integer = 0;  ///< also 0 or 1, a type, a memory format
  double number = 0;
  std::string text;
  std::vector<ExportedArgument> list;
};

/// A call of an operator.
struct ExportedNode {
  struct Input {
    std::string name;
    ExportedArgument argument;
  };
  std::string target;  ///< "torch.ops.aten.linear.default"
  std::vector<Input> inputs;

  /// The numbers of its results; kDropped for those that nobody needs.
  std::vector<std::size_t> outputs;
  static constexpr std::size_t kDropped =
      std::numeric_limits<std::size_t>::max();
  bool output_is_list = false;  ///< one result, whose elements have numbers
};

/// An axis of the input: a fixed size, or from least to most.
struct ExportedAxis {
  std::int64_t least = 0;
  std::int64_t most = std::numeric_limits<std::int64_t>::max();

  bool fixed() const { return least == most; }
};

/// A tensor that the graph reads besides its input.
struct ExportedState {
  std::string name;  ///< in the state dict or among the constants
  std::size_t value = 0;
  bool is_parameter = false;
};

/// The sizes that a tensor had when it was exported; kAnySize for those that
/// follow from the input. None if the file does not say them.
using ExportedShape = std::optional<std::vector<std::int64_t>>;
constexpr std::int64_t kAnySize = -1;

/// Throws Error if a tensor has another shape. `name` says which it is.
void require_exported_shape(const Tensor& t, const ExportedShape& shape,
                            const std::string& name);

/// The graph of an ExportedArchive: calls of operators in order. Values have
/// numbers from 0 to `values`.
struct ExportedProgram {
  std::string torch_version;
  std::size_t values = 0;
  std::vector<ExportedShape> shapes;  ///< of all values
  std::vector<ExportedState> state;   ///< parameters in Python's order
  std::size_t input = 0;
  at::ScalarType input_type = at::kFloat;
  std::vector<ExportedAxis> input_axes;
  std::vector<ExportedNode> nodes;
  std::size_t output = 0;
};

/// Reads the JSON of an archive. Throws Error, without the name of the file, if
/// it is damaged, has another version, does not take one tensor and give one
/// tensor, or has arguments of an unknown kind.
ExportedProgram parse_exported_program(const Json& json);

}  // namespace nestgrad
