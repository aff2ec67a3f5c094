#include "core/nn/models/torchscript.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/runtime/print_handler.h>
#include <torch/csrc/jit/serialization/import.h>

#include <cstdio>
#include <map>
#include <sstream>
#include <unordered_map>

#include "core/nn/models/network_file.h"
#include "core/nn/models/script_facts.h"
#include "core/platform/exceptions.h"
#include "core/platform/files.h"
#include "core/platform/warnings.h"

namespace nestgrad {

/// An attribute of one of the modules of a script that a call may change: a
/// parameter, a buffer, a list of such (torch.nn.LSTM has one), or whatever the
/// code assigns to or keeps in a list.
struct ScriptSlot {
  torch::jit::Module module;
  std::string attribute;
  c10::IValue own;  // what the file says

  void set(const c10::IValue& value) { module.setattr(attribute, value); }
};

namespace {

/// Puts a script's own tensors back, whatever happens.
class Restored {
 public:
  explicit Restored(std::vector<ScriptSlot>& slots) : slots_(slots) {}
  ~Restored() {
    for (ScriptSlot& slot : slots_) slot.set(slot.own);
  }
  Restored(const Restored&) = delete;
  Restored& operator=(const Restored&) = delete;

 private:
  std::vector<ScriptSlot>& slots_;
};

/// What two handles of the same numbers have in common: a script refers to tied
/// weights, and to those in lists, by tensors of their own.
std::string identity(const Tensor& t) {
  return fmt::format("{} {} {} {}", t.data_ptr(),
                     static_cast<int>(t.scalar_type()),
                     fmt::join(t.sizes(), ","), fmt::join(t.strides(), ","));
}

/// A copy of `value` with f of every tensor in it.
template <class F>
c10::IValue each_tensor(const c10::IValue& value, F&& f) {
  if (value.isTensor()) {
    return value.toTensor().defined() ? c10::IValue(f(value.toTensor()))
                                      : value;
  }
  if (value.isTensorList()) {
    c10::List<Tensor> list = value.toTensorList().copy();
    for (std::size_t i = 0; i < list.size(); ++i) list.set(i, f(list.get(i)));
    return list;
  }
  if (value.isList()) {
    c10::List<c10::IValue> list = value.toList().copy();
    for (std::size_t i = 0; i < list.size(); ++i) {
      list.set(i, each_tensor(list.get(i), f));
    }
    return list;
  }
  if (value.isTuple()) {
    std::vector<c10::IValue> elements = value.toTupleRef().elements().vec();
    for (c10::IValue& element : elements) element = each_tensor(element, f);
    return c10::ivalue::Tuple::create(std::move(elements));
  }
  if (value.isGenericDict()) {
    c10::impl::GenericDict dict = value.toGenericDict().copy();
    for (const auto& entry : value.toGenericDict()) {
      dict.insert_or_assign(entry.key(), each_tensor(entry.value(), f));
    }
    return dict;
  }
  // Of a class of the script's own.
  if (value.isObject() && !value.isModule() && !value.isCustomClass()) {
    return value.deepcopy();
  }
  return value;
}

/// Whether a value can change without an assignment to it.
bool is_mutable(const c10::IValue& value) {
  return value.isList() || value.isGenericDict() || value.isObject();
}

/// Of a traceback its last line, "RuntimeError: ...".
std::string reason(const std::string& what) {
  const std::size_t begin = what.rfind("Error: ");
  const std::size_t line = begin == std::string::npos ? 0 : begin + 7;
  return what.substr(line, what.find('\n', line) - line);
}

torch::jit::Module read_script(const std::string& file) {
  // Standard output belongs to the program, which may write JSON to it.
  torch::jit::setPrintHandler(
      [](const std::string& text) { std::fputs(text.c_str(), stderr); });
  std::istringstream stream(read_file(file));
  try {
    return torch::jit::load(stream, c10::Device(at::kCPU));
  } catch (const c10::Error& error) {
    const std::string what = error.what_without_backtrace();
    throw Error(fmt::format("{}: is no TorchScript file: {}", file,
                            what.substr(0, what.find('\n'))));
  }
}

}  // namespace

struct TorchScript::Script {
  torch::jit::Module module;
  ScriptFacts facts;
  ParameterSet weights;                         // those of the file
  std::vector<ScriptSlot> slots;                // all that a call may change
  std::vector<torch::jit::Module> normalizing;  // with running averages

  explicit Script(const std::string& file)
      : module(read_script(file)), facts(module) {
    std::map<std::string, std::size_t> known;  // weights, by identity
    visit(module, "", known);
    for (const ScriptSlot& slot : slots) {
      each_tensor(slot.own, [&](const Tensor& t) {
        const auto found = known.find(identity(t));
        if (found != known.end()) {
          numbers_[t.unsafeGetTensorImpl()] = found->second;
        }
        return t;
      });
    }
    require(!weights.empty() || !any_parameter_,
            "{}: none of its parameters requires a gradient, so there is "
            "nothing to train; call requires_grad_() before saving",
            file);
    require(!weights.empty(),
            "{}: has no parameters, so it was frozen (torch.jit.freeze, "
            "optimize_for_inference) and there is nothing to train; save the "
            "script before it is frozen",
            file);
    require(!facts.sparse,
            "{}: an embedding has sparse gradients, which have no second "
            "derivative; save it with sparse=False",
            file);
  }

  /// `values` in the place of the weights, and other(t) of every tensor t that
  /// is none.
  template <class F>
  void set(const ParameterSet& values, F&& other) {
    for (ScriptSlot& slot : slots) {
      slot.set(each_tensor(slot.own, [&](const Tensor& own) {
        const auto found = numbers_.find(own.unsafeGetTensorImpl());
        return found == numbers_.end() ? other(own)
                                       : values.tensors()[found->second];
      }));
    }
  }

  /// This script, to be called with `training`.
  ForeignNetwork network(bool training) {
    ForeignNetwork out;
    out.call = [this, training](const ForeignArguments& arguments) {
      return run(arguments, training);
    };
    out.own = own_;
    out.detour =
        "this script reaches a parameter in a way that cannot be set from "
        "outside";
    out.constants = facts.constants;
    out.recurrent = facts.recurrent;
    out.may_write = facts.writes;
    return out;
  }

 private:
  Tensor run(const ForeignArguments& arguments, bool training) {
    require(arguments.weights.size() == weights.size(),
            "the script has {} weight tensors, but was given {}",
            weights.size(), arguments.weights.size());
    const ParameterSet values = weights.with(arguments.weights);
    const Restored restored(slots);
    const at::TensorOptions options = values.tensors().front().options();
    set(values, [&](const Tensor& own) { return scratch_copy(own, options); });
    module.train(training);
    for (torch::jit::Module& one : normalizing) one.train(true);
    // The profiling executor would run other operators the second time.
    const torch::jit::GraphOptimizerEnabledGuard as_written(false);
    const c10::IValue out = output(arguments.input);
    require(out.isTensor(), "the script gives a {}, not a tensor",
            out.tagKind());
    return out.toTensor();
  }

  c10::IValue output(const Tensor& input) {
    if (!facts.forks) return module.forward({input});
    // Here, one part after another: threads would draw noise in any order.
    const auto future =
        module.get_method(ScriptFacts::kMethod)
            .run_async({input}, {}, [](std::function<void()> part) { part(); });
    future->wait();
    return future->value();
  }

  /// In the order of Python's named_parameters(): those of a module before
  /// those of the modules in it.
  void visit(const torch::jit::Module& at, const std::string& prefix,
             std::map<std::string, std::size_t>& known) {
    for (const auto& own : at.named_parameters(/*recurse=*/false)) {
      any_parameter_ = true;
      const bool trains = own.value.requires_grad();
      if (trains && known.emplace(identity(own.value), weights.size()).second) {
        weights.insert(prefix + own.name, own.value.detach());
        own_.push_back(own.value);
      }
    }
    for (const auto& buffer : at.named_buffers(/*recurse=*/false)) {
      if (buffer.name == "running_mean") normalizing.push_back(at);
    }
    for (const auto& own : at.named_attributes(/*recurse=*/false)) {
      if (own.value.isModule()) continue;
      bool changes = facts.assigned.count(own.name) > 0 ||
                     own.name == "training" || is_mutable(own.value);
      each_tensor(own.value, [&](const Tensor& t) {
        changes = true;
        return t;
      });
      if (changes) slots.push_back({at, own.name, own.value});
    }
    for (const auto& child : at.named_children()) {
      visit(child.value, prefix + child.name + ".", known);
    }
  }

  // Which weight a tensor of `slots` is, by its handle.
  std::unordered_map<const c10::TensorImpl*, std::size_t> numbers_;
  std::vector<Tensor> own_;  // the file's weights, as leaves
  bool any_parameter_ = false;
};

Schema TorchScript::schema() {
  return network_file_schema(
      "A network that Python has saved as TorchScript; for data of one tensor "
      "per example.",
      "What torch.jit.save has written.");
}

TorchScript::TorchScript(const Config& config, const Shape& input,
                         const Shape& outputs)
    : outputs_(outputs), shuffled_(config.text("start") == "shuffled") {
  try {
    script_ = std::make_unique<Script>(config.path("file"));
    require_gradient(input);
  } catch (const Error& error) {
    config.fail("file", error.what());
  }
  const std::string about_modes = script_->facts.about_modes();
  if (!about_modes.empty()) {
    add_warning(fmt::format("{}: {}", config.text("file"), about_modes));
  }
}

TorchScript::~TorchScript() = default;

void TorchScript::require_gradient(const Shape& input) const {
  Shape two = input;
  two.insert(two.begin(), 2);
  const ParameterSet weights = script_->weights.clone().leaves();
  // A script does not say whether it takes numbers or tokens.
  for (const auto type : {weights.tensors().front().scalar_type(), at::kLong}) {
    try {
      call(weights.tensors(), at::zeros(two, type), Pass());
      return;
    } catch (const Unsupported&) {
      throw;
    } catch (const std::exception&) {
      // It needs other inputs than zeros; its first step judges it.
    }
  }
}

ParameterSet TorchScript::initial_weights(const Key& key) const {
  return start_from_file(shuffled_, script_->weights, key);
}

Tensor TorchScript::call(const std::vector<Tensor>& weights,
                         const Tensor& input, const Pass& pass) const {
  Tensor out;
  try {
    out = calls_(script_->network(pass.training), {weights, input}, pass.key);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    if (is_out_of_memory(error)) throw;
    throw Error(fmt::format("the script fails: {}", reason(error.what())));
  }
  require_outputs(out, input.size(0), outputs_, "the script");
  return out;
}

void save_torchscript(const std::string& file, const ParameterSet& weights,
                      const std::string& to) {
  TorchScript::Script script(file);
  require(alike(script.weights, weights),
          "{}: its weights have other names or shapes than those that were "
          "found",
          file);
  ParameterSet own;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    own.insert(weights.name(i),
               weights.tensors()[i].to(script.weights.tensors()[i].options()));
  }
  script.set(own.leaves(), [](const Tensor& t) { return t; });
  std::ostringstream stream;
  script.module.save(stream);
  write_file(to, stream.str());
}

NESTGRAD_REGISTER(ModelRegistry, "torchscript", TorchScript)

}  // namespace nestgrad
