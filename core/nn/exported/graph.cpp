#include "core/nn/exported/graph.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>
#include <torch/version.h>

#include <algorithm>
#include <set>

#include "core/platform/error.h"
#include "core/platform/exceptions.h"

namespace nestgrad {
namespace {

constexpr const char* kPrefix = "torch.ops.";

const c10::FunctionSchema& schema_of(const c10::OperatorHandle& op) {
  return op.schema();
}

/// The place of the argument of this name; the number of arguments if there is
/// none.
std::size_t place_of(const c10::FunctionSchema& schema,
                     const std::string& name) {
  const auto& arguments = schema.arguments();
  const auto found = std::find_if(
      arguments.begin(), arguments.end(),
      [&](const c10::Argument& one) { return one.name() == name; });
  return static_cast<std::size_t>(found - arguments.begin());
}

bool is(const c10::IValue& value, bool expected) {
  return value.isBool() && value.toBool() == expected;
}

bool above_zero(const c10::IValue& value) {
  return value.isDouble() && value.toDouble() > 0;
}

}  // namespace

ExportedGraph::ExportedGraph(const ExportedProgram& program,
                             at::ScalarType own_type)
    : shapes_(program.shapes), output_(program.output) {
  for (const ExportedNode& node : program.nodes) {
    Step step = found(node);
    try {
      set_operands(step, node, own_type);
      look_at(step);
    } catch (const Error& error) {
      throw Error(fmt::format("its operator {}: {}", step.name, error.what()));
    }
    steps_.push_back(std::move(step));
  }
  find_last_uses();
}

ExportedGraph::Step ExportedGraph::found(const ExportedNode& node) {
  Step step;
  const std::string prefix = kPrefix;
  const bool of_torch = node.target.compare(0, prefix.size(), prefix) == 0;
  step.name = of_torch ? node.target.substr(prefix.size()) : node.target;
  step.own = find_own_operator(node.target);
  if (step.own != nullptr) return step;
  // "aten.linear.default" is the operator aten::linear without an overload.
  const std::size_t dot = step.name.find('.');
  const std::size_t last = step.name.rfind('.');
  if (of_torch && dot != last && step.name.compare(0, dot, "aten") == 0) {
    std::string overload = step.name.substr(last + 1);
    if (overload == "default") overload.clear();
    const auto op = c10::Dispatcher::singleton().findSchema(
        {"aten::" + step.name.substr(dot + 1, last - dot - 1), overload});
    if (op.has_value()) step.torch = *op;
  }
  require(step.torch.has_value(),
          "it uses the operator {}, which LibTorch {} does not have", step.name,
          TORCH_VERSION);
  // The only operator that reads files.
  require(step.name != "aten.from_file.default",
          "it uses the operator {}, which is not supported", step.name);
  return step;
}

void ExportedGraph::set_operands(Step& step, const ExportedNode& node,
                                 at::ScalarType own_type) {
  const c10::FunctionSchema& schema =
      step.own != nullptr ? step.own->schema : schema_of(*step.torch);
  const auto& formal = schema.arguments();
  std::vector<std::optional<Operand>> operands(formal.size());
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const auto& [name, argument] = node.inputs[i];
    const bool by_place = step.own != nullptr && step.own->by_place;
    const std::size_t place = by_place ? i : place_of(schema, name);
    if (place >= formal.size()) {
      // Newer versions have more arguments; where they are unset, no matter.
      require(argument.kind == ExportedArgument::Kind::kNone,
              "it has an argument '{}', which LibTorch {} does not have", name,
              TORCH_VERSION);
      continue;
    }
    require(!operands[place].has_value(), "its argument '{}' is there twice",
            name);
    operands[place].emplace(argument, formal[place], own_type);
  }
  for (std::size_t i = 0; i < formal.size(); ++i) {
    if (!operands[i].has_value()) operands[i].emplace(formal[i]);
    step.operands.push_back(std::move(*operands[i]));
  }
  step.outputs = node.outputs;
  step.output_is_list = node.output_is_list;
  const std::size_t results = schema.returns().size();
  require(step.output_is_list ? results == 1 : node.outputs.size() <= results,
          "it has {} results, but {} are expected", results,
          node.outputs.size());
}

/// Lets noise follow the pass, and notes what the graph does.
void ExportedGraph::look_at(Step& step) {
  const c10::FunctionSchema& schema =
      step.own != nullptr ? step.own->schema : schema_of(*step.torch);
  writes_ = writes_ || schema.is_mutable();
  const auto operand = [&](const char* name) -> Operand* {
    const std::size_t place = place_of(schema, name);
    return place < step.operands.size() ? &step.operands[place] : nullptr;
  };
  const auto constant = [&](const char* name) {
    const Operand* const one = operand(name);
    return one == nullptr ? c10::IValue() : one->constant();
  };
  const bool norm = step.name.find("batch_norm") != std::string::npos;
  if (norm) {
    keeps_averages_ = keeps_averages_ || is(constant("training"), false);
    return;
  }
  require(!is(constant("sparse"), true),
          "its gradients are sparse and have no second derivative; export the "
          "network with sparse=False");
  if (Operand* const rate = operand("dropout_p")) rate->only_in_training();
  const char* const mode = operand("train") != nullptr ? "train"
                           : step.name.find("rrelu") != std::string::npos
                               ? "training"
                               : nullptr;
  if (mode == nullptr) {
    always_random_ = always_random_ ||
                     (step.torch.has_value() &&
                      step.torch->hasTag(at::Tag::nondeterministic_seeded));
    return;
  }
  const char* const rate = operand("p") != nullptr ? "p" : "dropout";
  never_drops_ =
      never_drops_ || (is(constant(mode), false) && above_zero(constant(rate)));
  if (is(constant(mode), true)) operand(mode)->only_in_training();
}

void ExportedGraph::find_last_uses() {
  std::set<std::size_t> needed = {output_};
  for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {
    std::vector<std::size_t> uses = step->outputs;
    for (const Operand& one : step->operands) one.add_values(uses);
    for (const std::size_t value : uses) {
      if (value == ExportedNode::kDropped) continue;
      if (needed.insert(value).second) step->last_uses.push_back(value);
    }
  }
}

Tensor ExportedGraph::operator()(std::vector<c10::IValue> values,
                                 const ExportedRun& run) const {
  for (const Step& step : steps_) {
    try {
      run_step(step, values, run);
    } catch (const Unsupported&) {
      throw;
    } catch (const std::exception& error) {
      if (is_out_of_memory(error)) throw;
      throw Error(
          fmt::format("its operator {} fails: {}", step.name, one_line(error)));
    }
  }
  require(values[output_].isTensor(), "it does not give a tensor");
  return values[output_].toTensor();
}

void ExportedGraph::run_step(const Step& step, std::vector<c10::IValue>& values,
                             const ExportedRun& run) const {
  torch::jit::Stack stack;
  stack.reserve(step.operands.size());
  for (const Operand& operand : step.operands) {
    stack.push_back(operand(values, run));
  }
  if (step.own != nullptr) {
    step.own->run(stack);
  } else {
    step.torch->callBoxed(&stack);
  }
  if (step.output_is_list) {
    require(stack.size() == 1 && stack[0].isTensorList(),
            "it does not give a list of tensors");
    const auto list = stack[0].toTensorVector();
    require(list.size() == step.outputs.size(),
            "it gives {} tensors, but {} were exported", list.size(),
            step.outputs.size());
    stack.assign(list.begin(), list.end());
  }
  require(step.outputs.size() <= stack.size(),
          "it gives {} results, but {} were exported", stack.size(),
          step.outputs.size());
  for (std::size_t i = 0; i < step.outputs.size(); ++i) {
    const std::size_t value = step.outputs[i];
    if (value == ExportedNode::kDropped) continue;
    // Operators trust each other: some do not check what they are given.
    if (stack[i].isTensor() && stack[i].toTensor().defined()) {
      require_exported_shape(stack[i].toTensor(), shapes_[value], "the result");
    }
    values[value] = std::move(stack[i]);
  }
  for (const std::size_t value : step.last_uses) values[value] = c10::IValue();
}

std::string ExportedGraph::warning() const {
  std::vector<std::string> parts;
  if (never_drops_) parts.emplace_back("its dropout is off in training");
  if (keeps_averages_) {
    parts.emplace_back(
        "its batch norm uses the running averages of the file, in training as "
        "well");
  }
  if (always_random_) {
    parts.emplace_back("it draws random numbers in evaluation as well");
  }
  if (parts.empty()) return "";
  return fmt::format(
      "the network was exported in this state: {}; call network.train() before "
      "torch.export.export to train with dropout and the statistics of the "
      "batch",
      fmt::join(parts, ", "));
}

}  // namespace nestgrad
