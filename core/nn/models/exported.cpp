#include <ATen/ATen.h>
#include <c10/core/DefaultDtype.h>

#include <algorithm>
#include <map>
#include <optional>

#include "core/nn/exported/archive.h"
#include "core/nn/exported/graph.h"
#include "core/nn/exported/program.h"
#include "core/nn/foreign.h"
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
/// constants. Buffers and constants are scratch copies in every call: the
/// function is pure, and running averages stay what they are in the file.
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
    } catch (const Error& error) {
      const std::string what = error.what();
      const bool named = what.find(file) != std::string::npos;
      config.fail("file", named ? what : fmt::format("'{}': {}", file, what));
    }
    const std::string warning = graph_->warning();
    if (!warning.empty()) {
      add_warning(fmt::format("{}: {}", config.text("file"), warning));
    }
  }

  ParameterSet initial_weights(const Key& key) const override {
    return start_from_file(shuffled_, weights_, key);
  }

 private:
  /// A value of the graph that is no weight, for scratch copies.
  struct Constant {
    std::size_t value;
    Tensor own;
  };

  void read(const ExportedArchive& archive) {
    program_ = parse_exported_program(archive.program);
    std::map<std::string, std::size_t> known;     // weights, by place
    std::map<std::string, std::string> storages;  // names of weights, by them
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
      const auto [other, alone] = storages.emplace(tensor.storage, state.name);
      require(alone,
              "its parameters '{}' and '{}' are different views of the same "
              "numbers, which is not supported",
              other->second, state.name);
      add_weight(state.name, tensor.value);
    }
    require(!weights_.empty(),
            "it has no parameters that require gradients, so there is nothing "
            "to train");
    graph_.emplace(program_, own_type_);
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
    some.insert(some.begin(), axes.empty() ? 2
                              : axes[0].fixed()
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
    ForeignNetwork network;
    network.call = [&](const ForeignArguments& arguments) {
      return run(arguments, pass.training);
    };
    network.may_write = graph_->writes();
    const Tensor out = calls_(network, {weights, input}, pass.key);
    require_outputs(out, input.size(0), outputs_, "the exported network");
    return out;
  }

  Tensor run(const ForeignArguments& arguments, bool training) const {
    const at::TensorOptions options = arguments.weights.front().options();
    // Tensors without a type are float32, as the file's weights usually are.
    if (own_type_ == at::kFloat) c10::set_default_dtype(options.dtype());
    std::vector<c10::IValue> values(program_.values);
    for (const auto& [value, weight] : places_) {
      values[value] = arguments.weights[weight];
    }
    for (const Constant& one : constants_) {
      values[one.value] = scratch_copy(one.own, options);
    }
    const bool tokens = !at::isFloatingType(program_.input_type);
    values[program_.input] =
        tokens ? arguments.input.to(program_.input_type) : arguments.input;
    return (*graph_)(std::move(values), {options, training});
  }

  void require_input(const Tensor& input) const {
    const bool tokens = !at::isFloatingType(program_.input_type);
    require(tokens != input.is_floating_point(),
            tokens ? "the exported network takes whole numbers (tokens), but "
                     "the data are floating-point numbers"
                   : "the exported network takes floating-point numbers, but "
                     "the data are whole numbers (tokens)");
    const auto& axes = program_.input_axes;
    const Shape got = input.sizes().vec();
    bool fits = got.size() == axes.size() && !axes.empty();
    for (std::size_t i = 1; fits && i < axes.size(); ++i) {
      fits = axes[i].least <= got[i] && got[i] <= axes[i].most;
    }
    require(fits,
            "the exported network takes inputs of the shape {}, but the data "
            "have {} for each example",
            shape_of_input(), to_string(Shape(got.begin() + 1, got.end())));
    require(got[0] == axes[0].least || !axes[0].fixed(),
            "the exported network takes batches of exactly {} examples, but a "
            "batch has {}; export it with torch.export.export(network, "
            "(inputs,), dynamic_shapes=({{0: torch.export.Dim(\"batch\")}},))",
            axes[0].least, got[0]);
    require(axes[0].least <= got[0] && got[0] <= axes[0].most,
            "the exported network takes batches of {} to {} examples, but a "
            "batch has {}",
            axes[0].least, axes[0].most, got[0]);
  }

  /// "[any, 1, 28, 28]".
  std::string shape_of_input() const {
    std::string out;
    for (const ExportedAxis& axis : program_.input_axes) {
      out += out.empty() ? "[" : ", ";
      out += axis.fixed() ? std::to_string(axis.least) : "any";
    }
    return out + "]";
  }

  ExportedProgram program_;
  std::optional<ExportedGraph> graph_;
  ParameterSet weights_;  // those of the file
  at::ScalarType own_type_ = at::kFloat;
  std::vector<std::pair<std::size_t, std::size_t>> places_;  // value, weight
  std::vector<Constant> constants_;
  ForeignCalls calls_;
  Shape outputs_;
  bool shuffled_;
};

NESTGRAD_REGISTER(ModelRegistry, "exported", Exported)

}  // namespace
}  // namespace nestgrad
