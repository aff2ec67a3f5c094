#include "core/nn/exported/program.h"

#include <ATen/core/Tensor.h>
#include <c10/core/MemoryFormat.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <regex>

#include "core/nn/exported/archive.h"
#include "core/nn/exported/json_parts.h"

namespace nestgrad {
namespace {

constexpr std::int64_t kMajor = 8;  // of the schema

using Kind = ExportedArgument::Kind;

/// Throws Error, with the reason, if this is an operator that calls graphs.
void refuse_higher_order(const std::string& target) {
  const std::string prefix = "torch.ops.higher_order.";
  if (target.compare(0, prefix.size(), prefix) != 0) return;
  const std::string name = target.substr(prefix.size());
  require(name != "wrap_with_set_grad_enabled",
          "its forward() switches the recording of gradients (torch.no_grad), "
          "which is not supported; write .detach() instead");
  throw Error(fmt::format(
      "it calls the higher-order operator '{}' (control flow such as "
      "torch.cond, while_loop or map), which is not supported; write forward() "
      "without it",
      name));
}

class Parser {
 public:
  explicit Parser(const Json& json) : json_(json) {}

  ExportedProgram parse() {
    require_version();
    const Json& module = object_of(json_, "graph_module");
    const Json& graph = object_of(module, "graph");
    const Json& signature = object_of(module, "signature");
    tensors_ = &object_of(graph, "tensor_values");
    read_inputs(array_of(signature, "input_specs"));
    for (const Json& node : array_of(graph, "nodes")) read_node(node);
    read_outputs(array_of(signature, "output_specs"));
    out_.values = values_.size();
    return std::move(out_);
  }

 private:
  void require_version() {
    const Json& version = object_of(json_, "schema_version");
    const std::int64_t major = integer_of(version, "major");
    if (json_.contains("torch_version") && json_["torch_version"].is_string()) {
      out_.torch_version = json_["torch_version"].get<std::string>();
    }
    require(major == kMajor,
            "its program has version {}.{} (PyTorch {}), and this version of "
            "nestgrad reads version {}; write it with {} PyTorch",
            major, integer_of(version, "minor"),
            out_.torch_version.empty() ? "unknown" : out_.torch_version, kMajor,
            major > kMajor ? "an earlier" : "a later");
  }

  std::size_t define(const std::string& name) {
    const auto [place, is_new] = values_.emplace(name, values_.size());
    require(is_new, "it is damaged: the value '{}' is computed twice", name);
    out_.shapes.push_back(shape_of(name));
    return place->second;
  }

  ExportedShape shape_of(const std::string& name) const {
    const auto meta = tensors_->find(name);
    if (meta == tensors_->end()) return {};
    std::vector<std::int64_t> out;
    for (const Json& size : array_of(*meta, "sizes")) {
      const auto [kind, value] = only_entry(size, "a size");
      out.push_back(kind == "as_int" ? as_integer(*value, "as_int") : kAnySize);
    }
    return out;
  }

  std::size_t use(const std::string& name) const {
    const auto found = values_.find(name);
    require(found != values_.end(),
            "it is damaged: the value '{}' is used before it is computed",
            name);
    return found->second;
  }

  // --- inputs ----------------------------------------------------------------

  void read_inputs(const Json& specs) {
    bool has_input = false;
    for (const Json& spec : specs) {
      const auto [kind, content] = only_entry(spec, "an input");
      if (kind == "user_input") {
        if (!content->contains("arg")) continue;
        const auto [type, value] = only_entry((*content)["arg"], "an input");
        if (type != "as_tensor") continue;  // an option with its default
        require(!has_input,
                "it takes several tensors, but a model here is called with "
                "one; export a module whose forward() takes one");
        has_input = true;
        const std::string& name = text_of(*value, "name");
        out_.input = define(name);
        read_shape(object_of(*tensors_, name.c_str()));
      } else if (kind == "parameter") {
        add_state(*content, "parameter_name", true);
      } else if (kind == "buffer") {
        add_state(*content, "buffer_name", false);
      } else if (kind == "tensor_constant") {
        add_state(*content, "tensor_constant_name", false);
      } else {
        require(kind == "constant_input",
                "it has an input of the kind '{}', which is not supported",
                kind);
      }
    }
    require(has_input, "it takes no tensor");
  }

  void add_state(const Json& spec, const char* key, bool is_parameter) {
    out_.state.push_back({text_of(spec, key),
                          define(text_of(object_of(spec, "arg"), "name")),
                          is_parameter});
  }

  void read_shape(const Json& meta) {
    out_.input_type = exported_scalar_type(integer_of(meta, "dtype"));
    for (const Json& size : array_of(meta, "sizes")) {
      const auto [kind, value] = only_entry(size, "a size");
      if (kind == "as_int") {
        const std::int64_t n = as_integer(*value, "as_int");
        require(n >= 0, "it is damaged: a size is {}", n);
        out_.input_axes.push_back({n, n});
      } else {
        out_.input_axes.push_back(range_of(text_of(*value, "expr_str")));
      }
    }
  }

  /// Of a symbol: "s0", or "Symbol('s0', ...)". An expression may have any
  /// size.
  ExportedAxis range_of(const std::string& expression) const {
    static const std::regex symbol("\\w+|Symbol\\('(\\w+)'.*\\)");
    ExportedAxis out;
    std::smatch found;
    if (expression.size() > 200 ||
        !std::regex_match(expression, found, symbol)) {
      return out;
    }
    const std::string name = found[1].matched ? found[1] : found[0];
    if (!json_.contains("range_constraints") ||
        !json_["range_constraints"].is_object() ||
        !json_["range_constraints"].contains(name)) {
      return out;
    }
    const Json& range = json_["range_constraints"][name];
    const auto bound = [&](const char* key, std::int64_t otherwise) {
      const Json& value = part_of(range, key);
      return value.is_null() ? otherwise : as_integer(value, key);
    };
    // 2 stands for any size: exporting treats 0 and 1 as special cases.
    const std::int64_t least = bound("min_val", 0);
    if (least > 2) out.least = least;
    out.most = std::max(bound("max_val", out.most), out.least);
    return out;
  }

  // --- nodes -----------------------------------------------------------------

  void read_node(const Json& json) {
    ExportedNode node;
    node.target = text_of(json, "target");
    refuse_higher_order(node.target);
    for (const Json& input : array_of(json, "inputs")) {
      node.inputs.push_back(
          {text_of(input, "name"), argument_of(part_of(input, "arg"))});
    }
    for (const Json& output : array_of(json, "outputs")) {
      const auto [kind, value] = only_entry(output, "a result");
      if (kind == "as_tensors") {
        node.output_is_list = true;
        require(value->is_array(), "it is damaged: a result is not a list");
        for (const Json& one : *value) {
          node.outputs.push_back(define(text_of(one, "name")));
        }
      } else if (kind == "as_none") {
        node.outputs.push_back(ExportedNode::kDropped);
      } else if (kind == "as_tensor") {
        node.outputs.push_back(define(text_of(*value, "name")));
      } else {
        require(kind == "as_sym_int" || kind == "as_sym_bool" ||
                    kind == "as_sym_float",
                "an operator ({}) has a result of the kind '{}', which is not "
                "supported",
                node.target, kind);
        node.outputs.push_back(value->is_object() && value->contains("as_name")
                                   ? define(text_of(*value, "as_name"))
                                   : ExportedNode::kDropped);
      }
    }
    require(!node.output_is_list || array_of(json, "outputs").size() == 1,
            "it is damaged: an operator ({}) has a list beside other results",
            node.target);
    out_.nodes.push_back(std::move(node));
  }

  ExportedArgument argument_of(const Json& json) const {
    const auto [kind, value] = only_entry(json, "an argument");
    if (kind == "as_tensors") return list_of(*value, &Parser::tensor_of);
    if (kind == "as_optional_tensors") {
      return list_of(*value, &Parser::argument_of);
    }
    if (kind == "as_sym_ints" || kind == "as_sym_floats" ||
        kind == "as_sym_bools") {
      return list_of(*value, &Parser::symbolic_of);
    }
    if (kind == "as_ints" || kind == "as_bools" || kind == "as_floats") {
      return list_of(*value, kind == "as_ints"    ? &Parser::integer
                             : kind == "as_bools" ? &Parser::boolean
                                                  : &Parser::number);
    }
    return single(kind, *value);
  }

  ExportedArgument single(const std::string& kind, const Json& value) const {
    if (kind == "as_none") return {};
    if (kind == "as_tensor") return tensor_of(value);
    if (kind == "as_optional_tensor") return argument_of(value);
    if (kind == "as_sym_int" || kind == "as_sym_float" ||
        kind == "as_sym_bool") {
      return symbolic_of(value);
    }
    if (kind == "as_int") return integer(value);
    if (kind == "as_float") return number(value);
    if (kind == "as_bool") return boolean(value);
    ExportedArgument out;
    if (kind == "as_string") {
      require(value.is_string(), "it is damaged: 'as_string' is not a text");
      out.kind = Kind::kText;
      out.text = value.get<std::string>();
    } else if (kind == "as_scalar_type") {
      out.kind = Kind::kType;
      out.integer = static_cast<std::int64_t>(
          exported_scalar_type(as_integer(value, "as_scalar_type")));
    } else if (kind == "as_layout") {
      require(value == 7, "an argument asks for a sparse tensor");
      out.kind = Kind::kLayout;
    } else if (kind == "as_memory_format") {
      out.kind = Kind::kMemoryFormat;
      out.integer = memory_format(as_integer(value, "as_memory_format"));
    } else if (kind == "as_device") {
      out.kind = Kind::kDevice;
    } else {
      throw Error(fmt::format(
          "an argument is of the kind '{}', which is not supported", kind));
    }
    return out;
  }

  using Read = ExportedArgument (Parser::*)(const Json&) const;

  ExportedArgument list_of(const Json& json, Read read) const {
    require(json.is_array(), "it is damaged: an argument is not a list");
    ExportedArgument out;
    out.kind = Kind::kList;
    for (const Json& one : json) out.list.push_back((this->*read)(one));
    return out;
  }

  ExportedArgument tensor_of(const Json& json) const {
    ExportedArgument out;
    out.kind = Kind::kValue;
    out.value = use(text_of(json, "name"));
    return out;
  }

  ExportedArgument symbolic_of(const Json& json) const {
    const auto [kind, value] = only_entry(json, "an argument");
    if (kind != "as_name") return single(kind, *value);
    require(value->is_string(), "it is damaged: 'as_name' is not a text");
    ExportedArgument out;
    out.kind = Kind::kValue;
    out.value = use(value->get<std::string>());
    return out;
  }

  ExportedArgument integer(const Json& json) const {
    ExportedArgument out;
    out.kind = Kind::kInteger;
    out.integer = as_integer(json, "as_int");
    return out;
  }

  ExportedArgument number(const Json& json) const {
    ExportedArgument out;
    out.kind = Kind::kNumber;
    out.number = as_number(json, "as_float");
    return out;
  }

  ExportedArgument boolean(const Json& json) const {
    require(json.is_boolean(), "it is damaged: 'as_bool' is not true or false");
    ExportedArgument out;
    out.kind = Kind::kBool;
    out.integer = json.get<bool>() ? 1 : 0;
    return out;
  }

  static std::int64_t memory_format(std::int64_t number) {
    constexpr c10::MemoryFormat kFormats[] = {
        c10::MemoryFormat::Contiguous, c10::MemoryFormat::ChannelsLast,
        c10::MemoryFormat::ChannelsLast3d, c10::MemoryFormat::Preserve};
    require(number >= 1 && number <= 4,
            "it is damaged: there is no memory format {}", number);
    return static_cast<std::int64_t>(kFormats[number - 1]);
  }

  // --- outputs ---------------------------------------------------------------

  /// Mutated buffers are results as well; they are dropped.
  void read_outputs(const Json& specs) {
    std::size_t outputs = 0;
    for (const Json& spec : specs) {
      const auto [kind, content] = only_entry(spec, "an output");
      if (kind != "user_output" && kind != "loss_output") {
        require(kind == "buffer_mutation",
                "it gives something of the kind '{}', which is not supported",
                kind);
        continue;
      }
      ++outputs;
      const Json* value = &object_of(*content, "arg");
      if (kind == "user_output") {
        const auto [type, of_type] = only_entry(*value, "an output");
        require(type == "as_tensor", "it does not give a tensor");
        value = of_type;
      }
      out_.output = use(text_of(*value, "name"));
    }
    require(outputs == 1,
            "it gives {} results, and one tensor is expected; export a module "
            "whose forward() returns it alone",
            outputs);
  }

  const Json& json_;
  const Json* tensors_ = nullptr;  // what is known of them, by name
  ExportedProgram out_;
  std::map<std::string, std::size_t> values_;
};

}  // namespace

void require_exported_shape(const Tensor& t, const ExportedShape& shape,
                            const std::string& name) {
  if (!shape.has_value()) return;
  bool same = t.sizes().size() == shape->size();
  for (std::size_t i = 0; same && i < shape->size(); ++i) {
    same = (*shape)[i] == kAnySize || (*shape)[i] == t.sizes()[i];
  }
  require(same, "{} has the shape [{}], but when exported, it had [{}]", name,
          fmt::join(t.sizes(), ", "), fmt::join(*shape, ", "));
}

ExportedProgram parse_exported_program(const Json& json) {
  return Parser(json).parse();
}

}  // namespace nestgrad
