#pragma once

#include <ATen/core/function_schema.h>
#include <ATen/core/ivalue.h>

#include <vector>

#include "core/nn/exported/program.h"

namespace nestgrad {

/// What an exported graph is run with besides its inputs.
struct ExportedRun {
  at::TensorOptions weights;  ///< their type and device
  bool training = false;
};

/// An argument of an operator in the form that its schema asks for: a constant,
/// or what to make of the values of a run.
///
/// Three kinds of constants follow the run instead of the file. The type of the
/// file's weights becomes that of the run's, so that a graph works in both
/// precisions. Every device becomes that of the weights. Noise that belongs to
/// training is off in evaluation.
class Operand {
 public:
  /// The argument with this place in a schema. `own_type`: that of the file's
  /// weights. Throws Error if the argument does not fit.
  Operand(const ExportedArgument& argument, const c10::Argument& formal,
          at::ScalarType own_type);

  /// The default of the schema. Throws Error if there is none.
  explicit Operand(const c10::Argument& formal);

  /// A switch or a rate of noise: false or 0 in evaluation.
  void only_in_training() { only_in_training_ = true; }

  /// Its number or constant for the operator. `values`: those computed so far.
  c10::IValue operator()(const std::vector<c10::IValue>& values,
                         const ExportedRun& run) const;

  /// The constant, or none if it is another kind of operand.
  c10::IValue constant() const {
    return kind_ == Kind::kConstant ? constant_ : c10::IValue();
  }

  /// Appends the numbers of the values that it reads.
  void add_values(std::vector<std::size_t>& to) const;

 private:
  enum class Kind { kConstant, kValue, kList, kWeightType, kDevice };

  void set(const ExportedArgument& argument, at::ScalarType own_type);
  void set_list(const ExportedArgument& argument, at::ScalarType own_type);
  void set_enumeration(const ExportedArgument& argument,
                       at::ScalarType own_type);
  c10::IValue list(const std::vector<c10::IValue>& values,
                   const ExportedRun& run) const;
  c10::IValue converted(const c10::IValue& value) const;
  [[noreturn]] void refuse() const;

  Operand(const std::string* name, c10::TypePtr type)
      : name_(name), type_(std::move(type)) {}

  const std::string* name_;  // of the schema's argument
  c10::TypePtr type_;        // what the schema wants, without "optional"
  bool optional_ = false;
  Kind kind_ = Kind::kConstant;
  c10::IValue constant_;
  std::size_t value_ = 0;
  std::vector<Operand> parts_;
  bool only_in_training_ = false;
};

}  // namespace nestgrad
