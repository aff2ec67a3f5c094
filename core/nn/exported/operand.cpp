#include "core/nn/exported/operand.h"

#include <ATen/ATen.h>
#include <ATen/ScalarOps.h>

#include "core/platform/error.h"

namespace nestgrad {
namespace {

using c10::IValue;
using c10::TypeKind;
using ArgumentKind = ExportedArgument::Kind;

/// Without "optional".
c10::TypePtr required_type(const c10::TypePtr& type) {
  const auto optional = type->cast<c10::OptionalType>();
  return optional == nullptr ? type : optional->getElementType();
}

bool is_optional(const c10::TypePtr& type) {
  return type->kind() == TypeKind::OptionalType;
}

/// Types of elements, layouts and memory formats are whole numbers for the
/// dispatcher, and only the real type tells.
bool is_enumeration(TypeKind kind) {
  return kind == TypeKind::ScalarTypeType || kind == TypeKind::LayoutType ||
         kind == TypeKind::MemoryFormatType;
}

template <class T, class F>
IValue list_of(const std::vector<IValue>& values, F&& f) {
  c10::List<T> out;
  for (const IValue& value : values) out.push_back(f(value));
  return out;
}

}  // namespace

Operand::Operand(const ExportedArgument& argument, const c10::Argument& formal,
                 at::ScalarType own_type)
    : name_(&formal.name()),
      type_(required_type(formal.real_type())),
      optional_(is_optional(formal.real_type())) {
  if (argument.kind == ArgumentKind::kNone) {
    if (!optional_) refuse();
    return;
  }
  if (is_enumeration(type_->kind())) {
    set_enumeration(argument, own_type);
    return;
  }
  type_ = required_type(formal.type());
  const bool single = argument.kind != ArgumentKind::kList;
  if (type_->kind() == TypeKind::ListType && single && formal.N()) {
    // int[2] may be one number.
    ExportedArgument list;
    list.kind = ArgumentKind::kList;
    list.list.assign(static_cast<std::size_t>(*formal.N()), argument);
    set(list, own_type);
  } else {
    set(argument, own_type);
  }
}

Operand::Operand(const c10::Argument& formal)
    : name_(&formal.name()), type_(required_type(formal.type())) {
  require(formal.default_value().has_value(), "its argument '{}' is missing",
          *name_);
  constant_ = *formal.default_value();
}

void Operand::set(const ExportedArgument& argument, at::ScalarType own_type) {
  switch (argument.kind) {
    case ArgumentKind::kValue:
      kind_ = Kind::kValue;
      value_ = argument.value;
      return;
    case ArgumentKind::kInteger:
      constant_ = converted(argument.integer);
      return;
    case ArgumentKind::kNumber:
      constant_ = converted(argument.number);
      return;
    case ArgumentKind::kBool:
      constant_ = converted(argument.integer != 0);
      return;
    case ArgumentKind::kText:
      constant_ = converted(argument.text);
      return;
    case ArgumentKind::kDevice:
      if (type_->kind() != TypeKind::DeviceObjType) refuse();
      kind_ = Kind::kDevice;
      return;
    case ArgumentKind::kList:
      set_list(argument, own_type);
      return;
    default:
      refuse();
  }
}

void Operand::set_list(const ExportedArgument& argument,
                       at::ScalarType own_type) {
  const auto list = type_->cast<c10::ListType>();
  if (list == nullptr) refuse();
  kind_ = Kind::kList;
  const c10::TypePtr& element = list->getElementType();
  for (const ExportedArgument& one : argument.list) {
    parts_.push_back(Operand(name_, required_type(element)));
    parts_.back().optional_ = is_optional(element);
    if (one.kind != ArgumentKind::kNone) {
      parts_.back().set(one, own_type);
    } else if (!parts_.back().optional_) {
      refuse();
    }
  }
  std::vector<std::size_t> values;
  add_values(values);
  if (!values.empty()) return;
  constant_ = this->list({}, {});
  kind_ = Kind::kConstant;
  parts_.clear();
}

void Operand::set_enumeration(const ExportedArgument& argument,
                              at::ScalarType own_type) {
  const TypeKind wanted = type_->kind();
  if (wanted == TypeKind::ScalarTypeType &&
      argument.kind == ArgumentKind::kType) {
    constant_ = argument.integer;
    if (argument.integer == static_cast<std::int64_t>(own_type)) {
      kind_ = Kind::kWeightType;
    }
  } else if (wanted == TypeKind::LayoutType &&
             argument.kind == ArgumentKind::kLayout) {
    constant_ = static_cast<std::int64_t>(at::kStrided);
  } else if (wanted == TypeKind::MemoryFormatType &&
             argument.kind == ArgumentKind::kMemoryFormat) {
    constant_ = argument.integer;
  } else {
    refuse();
  }
}

IValue Operand::operator()(const std::vector<IValue>& values,
                           const ExportedRun& run) const {
  if (only_in_training_ && !run.training) {
    return type_->kind() == TypeKind::BoolType ? IValue(false) : IValue(0.0);
  }
  switch (kind_) {
    case Kind::kValue:
      return converted(values[value_]);
    case Kind::kList:
      return list(values, run);
    case Kind::kWeightType:
      return static_cast<std::int64_t>(run.weights.dtype().toScalarType());
    case Kind::kDevice:
      return run.weights.device();
    default:
      return constant_;
  }
}

IValue Operand::list(const std::vector<IValue>& values,
                     const ExportedRun& run) const {
  std::vector<IValue> parts;
  parts.reserve(parts_.size());
  for (const Operand& part : parts_) parts.push_back(part(values, run));
  const c10::TypePtr element = type_->cast<c10::ListType>()->getElementType();
  switch (element->kind()) {
    case TypeKind::TensorType:
      return list_of<at::Tensor>(parts,
                                 [](const IValue& v) { return v.toTensor(); });
    case TypeKind::OptionalType:
      if (required_type(element)->kind() != TypeKind::TensorType) refuse();
      return list_of<c10::optional<at::Tensor>>(parts, [](const IValue& v) {
        return v.isNone() ? c10::optional<at::Tensor>()
                          : c10::optional<at::Tensor>(v.toTensor());
      });
    case TypeKind::IntType:
      return list_of<std::int64_t>(parts,
                                   [](const IValue& v) { return v.toInt(); });
    case TypeKind::FloatType:
      return list_of<double>(parts,
                             [](const IValue& v) { return v.toDouble(); });
    case TypeKind::BoolType:
      return list_of<bool>(parts, [](const IValue& v) { return v.toBool(); });
    default:
      refuse();
  }
}

IValue Operand::converted(const IValue& value) const {
  const bool number = value.isInt() || value.isDouble() || value.isBool();
  switch (type_->kind()) {
    case TypeKind::TensorType:
      if (value.isTensor()) return value;
      if (value.isNone() && optional_) return value;
      // As in Python, it takes its type from the other operand.
      if (number) {
        return at::native::wrapped_scalar_tensor(value.toScalar());
      }
      break;
    case TypeKind::NumberType:
      if (number) return value;
      break;
    case TypeKind::IntType:
      if (value.isInt()) return value;
      break;
    case TypeKind::FloatType:
      if (value.isDouble()) return value;
      if (value.isInt()) return static_cast<double>(value.toInt());
      break;
    case TypeKind::BoolType:
      if (value.isBool()) return value;
      break;
    case TypeKind::StringType:
      if (value.isString()) return value;
      break;
    default:
      break;
  }
  refuse();
}

void Operand::add_values(std::vector<std::size_t>& to) const {
  if (kind_ == Kind::kValue) to.push_back(value_);
  for (const Operand& part : parts_) part.add_values(to);
}

void Operand::refuse() const {
  throw Error(fmt::format("its argument '{}' is not of the type {}", *name_,
                          type_->str()));
}

}  // namespace nestgrad
