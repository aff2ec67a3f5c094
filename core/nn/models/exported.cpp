#include <ATen/ATen.h>
#include <c10/core/DefaultDtype.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <mutex>
#include <optional>

#include "core/nn/exported/archive.h"
#include "core/nn/exported/graph.h"
#include "core/nn/exported/program.h"
#include "core/nn/foreign/foreign.h"
#include "core/nn/layers/shapes.h"
#include "core/nn/model.h"
#include "core/nn/models/network_file.h"
#include "core/platform/exceptions.h"
#include "core/platform/warnings.h"

namespace nestgrad {
namespace {

/// A file of torch.export.save as a Model: a network that was written, and
/// perhaps trained, with today's PyTorch. Its graph of ATen operators is run
/// through LibTorch's dispatcher with weights as arguments.
///
/// Names of weights are those of Python's named_parameters(), tied ones under
/// the first of their names; parameters that do not require gradients are
/// constants. What a call writes into, such as buffers, is a copy: the function
/// is pure, and running averages stay what they are in the file.
///
/// Exporting fixes the mode of batch norm. Dropout of a network that was
/// exported in training mode follows the pass. The file's type of numbers
/// becomes that of the weights, its devices become their device.
class Exported : public ForeignModel {
 public:
  static Schema schema() {
    return network_file_schema(
        "A network that PyTorch 2.8 or later has exported; for data of one "
        "tensor per example.",
        "What torch.export.save has written.");
  }

  /// Throws ConfigError if the file cannot be read, if it does not fit the
  /// inputs and outputs of the problem, or if the outputs do not depend on the
  /// weights.
  Exported(const Config& config, const Shape& input, const Shape& outputs)
      : outputs_(outputs), shuffled_(config.text("start") == "shuffled") {
    const std::string file = config.path("file");
    try {
      read(read_exported_archive(file));
      try_out(input);
    } catch (const std::exception& error) {
      const std::string what =
          is_out_of_memory(error)
              ? fmt::format("calling it takes more memory than there is ({})",
                            one_line(error))
              : one_line(error);
      const bool named = what.find(file) != std::string::npos;
      config.fail("file", named ? what : fmt::format("'{}': {}", file, what));
    }
    for (const std::string& warning : graph_->warnings()) {
      add_warning(fmt::format("{}: {}", config.text("file"), warning));
    }
  }

  ParameterSet initial_weights(const Key& key) const override {
    return start_from_file(shuffled_, weights_, key);
  }

 private:
  /// A value of the graph that is no weight.
  struct Constant {
    std::size_t value;
    Tensor own;
  };

  /// The weights in one storage, by where they begin.
  using Storage = std::map<std::int64_t, const ExportedState*>;

  void read(const ExportedArchive& archive) {
    program_ = parse_exported_program(archive.program);
    require(!program_.input_axes.empty(),
            "it takes a single number, and a model here is called with a batch "
            "of examples");
    std::map<std::string, std::size_t> known;  // weights, by place
    std::map<std::string, Storage> storages;
    for (const ExportedState& state : program_.state) {
      const ExportedTensor& tensor = tensor_of(archive, state);
      require_exported_shape(tensor.value, program_.shapes[state.value],
                             "'" + state.name + "'");
      if (!state.is_parameter || !tensor.requires_grad) {
        constants_.push_back({state.value, tensor.value});
        continue;
      }
      const auto [place, is_new] = known.emplace(tensor.place, weights_.size());
      places_.push_back({state.value, place->second});
      if (!is_new) continue;  // tied
      add_to(storages[tensor.storage], state, archive);
      add_weight(state.name, tensor.value);
    }
    require(!weights_.empty(),
            "it has no parameters that require gradients, so there is nothing "
            "to train");
    graph_.emplace(program_, own_type_);
  }

  /// Parameters may be parts of one storage (parametrized by a vector, for
  /// example) if no number is in two of them.
  static void add_to(Storage& storage, const ExportedState& state,
                     const ExportedArchive& archive) {
    const ExportedTensor& tensor = tensor_of(archive, state);
    if (tensor.begin == tensor.end) return;
    const auto next = storage.lower_bound(tensor.begin);
    const ExportedState* other = nullptr;
    if (next != storage.end() && next->first < tensor.end) other = next->second;
    if (next != storage.begin() &&
        tensor_of(archive, *std::prev(next)->second).end > tensor.begin) {
      other = std::prev(next)->second;
    }
    require(other == nullptr,
            "its parameters '{}' and '{}' are different views of the same "
            "numbers, which is not supported",
            other == nullptr ? "" : other->name, state.name);
    storage.emplace(tensor.begin, &state);
  }

  static const ExportedTensor& tensor_of(const ExportedArchive& archive,
                                         const ExportedState& state) {
    for (const auto* tensors : {&archive.weights, &archive.constants}) {
      const auto found = tensors->find(state.name);
      if (found != tensors->end()) return found->second;
    }
    throw Error(fmt::format("it has no numbers for '{}'", state.name));
  }

  void add_weight(const std::string& name, const Tensor& value) {
    require(value.is_floating_point(),
            "its parameter '{}' does not consist of floating-point numbers",
            name);
    if (weights_.empty()) own_type_ = value.scalar_type();
    const bool fine =
        value.scalar_type() == at::kDouble || value.scalar_type() == at::kFloat;
    weights_.insert(name, fine ? value : value.to(at::kFloat));
  }

  /// Calls the network with zeros.
  void try_out(const Shape& input) const {
    const auto& axes = program_.input_axes;
    Shape some = input;
    some.insert(some.begin(), axes[0].fixed()
                                  ? axes[0].least
                                  : std::max<std::int64_t>(2, axes[0].least));
    const ParameterSet weights = weights_.clone().leaves();
    const bool tokens = !at::isFloatingType(program_.input_type);
    call(weights.tensors(),
         at::zeros(some, tokens ? at::kLong
                                : weights.tensors().front().scalar_type()),
         Pass());
  }

  Tensor call(const std::vector<Tensor>& weights, const Tensor& input,
              const Pass& pass) const override {
    require(weights.size() == weights_.size(),
            "the exported network has {} weight tensors, but was given {}",
            weights_.size(), weights.size());
    require_input(input);
    std::vector<Tensor> all = weights;
    const std::vector<Tensor> constants = constants_like(weights.front());
    all.insert(all.end(), constants.begin(), constants.end());
    ForeignNetwork network;
    network.call = [&](const ForeignArguments& arguments) {
      return run(arguments, pass.training);
    };
    network.may_write = graph_->writes();
    const Tensor out = calls_(network, {all, input}, pass.key);
    require_outputs(out, input.size(0), outputs_, "the exported network");
    return out;
  }

  /// The constants as they are used with such weights. Converted once.
  std::vector<Tensor> constants_like(const Tensor& weight) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto type = weight.scalar_type();
    if (converted_.size() != constants_.size() || type != converted_type_ ||
        weight.device() != converted_device_) {
      converted_.clear();
      for (const Constant& one : constants_) {
        converted_.push_back(one.own.to(
            weight.device(),
            one.own.is_floating_point() ? type : one.own.scalar_type()));
      }
      converted_type_ = type;
      converted_device_ = weight.device();
    }
    return converted_;
  }

  /// `arguments`: the weights and, after them, the constants.
  Tensor run(const ForeignArguments& arguments, bool training) const {
    const at::TensorOptions options = arguments.weights.front().options();
    // Tensors without a type are float32, as the file's weights usually are.
    if (own_type_ == at::kFloat) c10::set_default_dtype(options.dtype());
    std::vector<c10::IValue> values(program_.values);
    for (const auto& [value, weight] : places_) {
      values[value] = arguments.weights[weight];
    }
    for (std::size_t i = 0; i < constants_.size(); ++i) {
      values[constants_[i].value] = arguments.weights[weights_.size() + i];
    }
    const bool tokens = !at::isFloatingType(program_.input_type);
    values[program_.input] =
        tokens ? arguments.input.to(program_.input_type) : arguments.input;
    return (*graph_)(std::move(values), {options, training});
  }

  void require_input(const Tensor& input) const {
    const bool tokens = !at::isFloatingType(program_.input_type);
    require(!tokens || !input.is_floating_point(),
            "the exported network takes whole numbers (tokens), but the data "
            "are floating-point numbers");
    require(tokens || input.is_floating_point(),
            "the exported network takes floating-point numbers, but the data "
            "are whole numbers (tokens)");
    const auto& axes = program_.input_axes;
    const Shape got = input.sizes().vec();
    bool fits = got.size() == axes.size();
    for (std::size_t i = 1; fits && i < axes.size(); ++i) {
      fits = axes[i].least <= got[i] && got[i] <= axes[i].most;
    }
    require(fits,
            "the exported network takes {} for each example, but the data have "
            "{}",
            shape_of_example(), to_string(Shape(got.begin() + 1, got.end())));
    require(got[0] == axes[0].least || !axes[0].fixed(),
            "the exported network takes batches of exactly {} examples, but a "
            "batch has {}; export it with torch.export.export(network, "
            "(inputs,), dynamic_shapes=({{0: torch.export.Dim(\"batch\")}},))",
            axes[0].least, got[0]);
    require(axes[0].least <= got[0] && got[0] <= axes[0].most,
            "the exported network takes batches of {} examples, but a batch "
            "has {}",
            sizes_of(axes[0]), got[0]);
  }

  /// "28", "3 to 128", "at most 128", "3 or more", "any".
  static std::string sizes_of(const ExportedAxis& axis) {
    const ExportedAxis any;
    if (axis.fixed()) return std::to_string(axis.least);
    if (axis.least == any.least) {
      return axis.most == any.most ? "any"
                                   : fmt::format("at most {}", axis.most);
    }
    return axis.most == any.most
               ? fmt::format("{} or more", axis.least)
               : fmt::format("{} to {}", axis.least, axis.most);
  }

  /// "[1, 28, 28]".
  std::string shape_of_example() const {
    std::vector<std::string> sizes;
    for (const ExportedAxis& axis : program_.input_axes) {
      sizes.push_back(sizes_of(axis));
    }
    sizes.erase(sizes.begin());
    return fmt::format("[{}]", fmt::join(sizes, ", "));
  }

  ExportedProgram program_;
  std::optional<ExportedGraph> graph_;
  ParameterSet weights_;  // those of the file
  at::ScalarType own_type_ = at::kFloat;
  std::vector<std::pair<std::size_t, std::size_t>> places_;  // value, weight
  std::vector<Constant> constants_;
  ForeignCalls calls_;

  // The constants for weights of this type and device.
  mutable std::mutex mutex_;
  mutable std::vector<Tensor> converted_;
  mutable at::ScalarType converted_type_ = at::kFloat;
  mutable at::Device converted_device_ = at::kCPU;
  Shape outputs_;
  bool shuffled_;
};

NESTGRAD_REGISTER(ModelRegistry, "exported", Exported)

}  // namespace
}  // namespace nestgrad
