#include "core/nn/models/script_facts.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/passes/inliner.h>

#include "core/nn/exported/known_arguments.h"
#include "core/platform/error.h"

namespace nestgrad {
namespace {

using torch::jit::Block;
using torch::jit::Node;

/// The argument of an operator with this name, if the code says its value;
/// otherwise none.
c10::IValue constant_argument(const Node& node, const char* name) {
  const auto& arguments = node.schema().arguments();
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].name() != name || i >= node.inputs().size()) continue;
    const auto value = torch::jit::toIValue(node.inputs()[i]);
    return value ? *value : c10::IValue();
  }
  return {};
}

bool is_zero(const c10::IValue& value) {
  return value.isDouble() && value.toDouble() == 0;
}

}  // namespace

ScriptFacts::ScriptFacts(const torch::jit::Module& module) {
  const auto forward = module.find_method(kMethod);
  require(forward.has_value(), "has no method forward()");
  const auto graph = forward->graph()->copy();
  torch::jit::Inline(*graph);
  look_at(*graph->block());
}

void ScriptFacts::look_at(const Block& block) {
  for (const Node* const node : block.nodes()) look_at(*node);
}

void ScriptFacts::look_at(const Node& node) {
  namespace prim = c10::prim;
  namespace attr = c10::attr;
  for (const Block* const block : node.blocks()) look_at(*block);
  if (node.hasAttribute(attr::Subgraph)) {
    look_at(*node.g(attr::Subgraph)->block());
  }
  const auto kind = node.kind();
  if (kind == prim::SetAttr) assigned.insert(node.s(attr::name));
  if (kind == prim::fork) forks = true;
  // Calls of an interface, whose code is not known here.
  if (kind == prim::CallMethod || kind == prim::CallFunction) writes = true;
  if (kind == prim::Constant && node.hasAttribute(attr::value) &&
      node.kindOf(attr::value) == torch::jit::AttributeKind::t) {
    constants.push_back(node.t(attr::value));
  }
  const c10::FunctionSchema* const schema = node.maybeSchema();
  if (schema == nullptr) return;
  writes = writes || schema->is_mutable();
  const std::string name = schema->name();
  if (name.find("dropout") != std::string::npos &&
      !is_zero(constant_argument(node, "p"))) {
    const c10::IValue on = constant_argument(node, "train");
    always_drops = always_drops || is(on, true);
    never_drops = never_drops || is(on, false);
  }
  if (name == "aten::lstm" || name == "aten::gru" || name == "aten::rnn_tanh" ||
      name == "aten::rnn_relu") {
    recurrent = true;
    const c10::IValue rate = constant_argument(node, "dropout");
    const c10::IValue on = constant_argument(node, "train");
    const bool drops = rate.isDouble() && rate.toDouble() > 0;
    always_drops = always_drops || (drops && is(on, true));
    never_drops = never_drops || (drops && is(on, false));
  }
  if (name == "aten::batch_norm") {
    keeps_averages =
        keeps_averages || is(constant_argument(node, "training"), false);
  }
  if (name == "aten::embedding") {
    sparse = sparse || is(constant_argument(node, "sparse"), true);
  }
}

std::string ScriptFacts::about_modes() const {
  std::vector<std::string> parts;
  if (always_drops) {
    parts.emplace_back("its dropout stays on in evaluation");
  }
  if (never_drops) parts.emplace_back("its dropout is off in training");
  if (keeps_averages) {
    parts.emplace_back(
        "its batch norm uses the running averages of the file, in training as "
        "well");
  }
  if (parts.empty()) return "";
  return fmt::format(
      "this script does not follow train() and eval(), as torch.jit.trace "
      "writes it: {}; torch.jit.script keeps both modes",
      fmt::join(parts, ", "));
}

}  // namespace nestgrad
