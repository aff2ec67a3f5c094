#include "core/hyper_space.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/tensor/numbers.h"

namespace nestgrad {
namespace {

/// The declaration of a name that only a training rule refers to. `parts`: the
/// possible numbers of elements, see weight_granularities().
Hyperparameter declared_by_rule(const std::string& name,
                                const std::vector<Granularity>& parts) {
  Hyperparameter out;
  out.name = name;
  out.coordinates = Coordinates::log();
  out.granularities = parts;
  out.granularities.emplace_back("step", 0);  // the key "steps" has the number
  return out;
}

/// The position of the first value that has no finite coordinates in this type,
/// and what it becomes there; -1 if all have. Coordinates must lead back to an
/// allowed value.
std::pair<std::int64_t, double> first_without_coordinates(
    const Coordinates& coordinates, const std::vector<double>& values,
    at::ScalarType type) {
  const Tensor x =
      coordinates.unconstrained(at::tensor(values, at::kDouble).to(type));
  const Tensor back = coordinates.natural(x).to(at::kDouble);
  const Tensor finite = x.isfinite().logical_and(back.isfinite());
  for (std::int64_t i = 0; i < back.numel(); ++i) {
    const double value = back.data_ptr<double>()[i];
    if (!finite.data_ptr<bool>()[i] || !coordinates.contains(value)) {
      return {i, value};
    }
  }
  return {-1, NAN};
}

/// Reads one entry of the section. Appends its mistakes to `complaints`.
class EntryReader {
 public:
  EntryReader(const Config& entry, const Hyperparameter& declared, bool of_rule,
              std::vector<Complaint>& complaints)
      : entry_(entry),
        declared_(declared),
        of_rule_(of_rule),
        complaints_(complaints) {}

  HyperSpec read(const at::TensorOptions& options) {
    HyperSpec spec;
    spec.name = declared_.name;
    spec.coordinates = coordinates();
    spec.tuned = entry_.boolean("tuned");

    std::vector<double> values;
    if (entry_.has("initial")) {
      values = entry_.numbers("initial");
    } else if (declared_.initial.defined()) {
      values = to_numbers(declared_.initial);
    } else {
      complain("initial", "is missing (expected: a number or a list)");
      return spec;
    }
    for (const double value : values) {
      if (spec.coordinates.contains(value)) continue;
      complain("initial", fmt::format("must be {}, is {}",
                                      spec.coordinates.describe(), value));
      return spec;
    }
    if (!is_representable(spec.coordinates, values, options)) return spec;

    const std::vector<std::int64_t> sizes = shape();
    std::int64_t count = 1;
    for (const std::int64_t size : sizes) count *= size;
    const auto given = static_cast<std::int64_t>(values.size());
    if (given != 1 && given != count) {
      complain("initial",
               fmt::format("must be one number or a list of {}, has {}", count,
                           given));
      return spec;
    }
    const Tensor tensor = at::tensor(values, at::kDouble).to(options);
    spec.initial = given == 1 ? tensor[0].expand(sizes) : tensor.view(sizes);
    // The losses read constants as they are.
    if (!spec.tuned) spec.initial = spec.initial.contiguous();
    return spec;
  }

 private:
  void complain(const std::string& key, std::string what) {
    complaints_.push_back({entry_.pointer(key), std::move(what)});
  }

  /// Whether an interval of kLogit is still there when its ends are numbers of
  /// this type; complains otherwise.
  bool range_is_resolved(const Coordinates& coordinates, at::ScalarType type) {
    const double width = coordinates.high - coordinates.low;
    const Tensor ends =
        at::tensor({coordinates.low, coordinates.high}, at::kDouble);
    const auto error = (ends.to(type) - ends).abs().max().item<double>();
    if (std::isfinite(width) && error <= 0.01 * width) return true;
    complain("range",
             fmt::format("from {} to {} is too narrow or too wide for {}; take "
                         "another range or \"precision\": \"float64\"",
                         coordinates.low, coordinates.high, dtype_name(type)));
    return false;
  }

  /// Whether the range and the start are what they are in this type, too;
  /// complains otherwise.
  bool is_representable(const Coordinates& coordinates,
                        const std::vector<double>& values,
                        const at::TensorOptions& options) {
    const at::ScalarType type = at::typeMetaToScalarType(options.dtype());
    const bool bounded = coordinates.kind == Coordinates::Kind::kLogit;
    if (bounded && !range_is_resolved(coordinates, type)) return false;
    const auto [place, met] =
        first_without_coordinates(coordinates, values, type);
    if (place < 0) return true;
    complain("initial",
             fmt::format("must be {}, but {} is {} in {}; take another start "
                         "or \"precision\": \"float64\"",
                         coordinates.describe(),
                         values[static_cast<std::size_t>(place)], met,
                         dtype_name(type)));
    return false;
  }

  Coordinates coordinates() {
    Coordinates out = declared_.coordinates;
    if (entry_.has("coordinates")) {
      const std::string name = entry_.text("coordinates");
      out.kind = name == "log"        ? Coordinates::Kind::kLog
                 : name == "softplus" ? Coordinates::Kind::kSoftplus
                 : name == "logit"    ? Coordinates::Kind::kLogit
                                      : Coordinates::Kind::kReal;
    }
    if (entry_.has("range")) {
      const std::vector<double> range = entry_.numbers("range");
      if (range.size() != 2 || !(range[0] < range[1])) {
        complain("range", "must be two numbers, the lower one first");
      } else if (out.kind != Coordinates::Kind::kLogit) {
        complain("range", "is only allowed with the coordinates \"logit\"");
      } else {
        out.low = range[0];
        out.high = range[1];
      }
    }
    return out;
  }

  std::vector<std::int64_t> shape() {
    if (declared_.granularities.empty()) {
      if (entry_.has("per")) {
        complain("per", "cannot be chosen for this hyperparameter");
      }
      return declared_.initial.sizes().vec();
    }
    Granularity chosen = declared_.granularities.front();
    if (entry_.has("per")) {
      const std::string per = entry_.text("per");
      std::vector<std::string> names;
      for (const auto& [name, count] : declared_.granularities) {
        names.push_back(name);
        if (name == per) chosen = {name, count};
      }
      if (chosen.first != per) {
        complain("per", fmt::format("must be one of {}; is \"{}\"",
                                    fmt::join(names, ", "), per));
      }
    }
    if (chosen.first == "step") {
      if (entry_.has("steps")) {
        chosen.second = entry_.integer("steps");
      } else {
        complain("steps",
                 "is missing: one number per step needs a number of steps");
        chosen.second = 1;
      }
    } else if (entry_.has("steps")) {
      complain("steps", "is only allowed with \"per\": \"step\"");
    }
    if (chosen.first == "all") return {};
    if (of_rule_ && chosen.first != "step") return {1, chosen.second};
    return {chosen.second};
  }

  const Config& entry_;
  const Hyperparameter& declared_;
  bool of_rule_;
  std::vector<Complaint>& complaints_;
};

/// The whole section. Mistakes are collected, so that all are reported at once.
class SpaceReader {
 public:
  SpaceReader(const Config& section, const BilevelProblem& problem,
              const at::TensorOptions& options)
      : section_(section), problem_(problem), options_(options) {}

  /// Those that the problem declares.
  void read_declared() {
    for (const Hyperparameter& declared : problem_.hyperparameters()) {
      known_.push_back(declared.name);
      if (section_.has(declared.name)) {
        read(declared, /*of_rule=*/false);
      } else if (!declared.optional && !declared.initial.defined()) {
        complain(section_.pointer(),
                 fmt::format("the problem refers to \"${0}\", but there is no "
                             "hyperparameter '{0}'",
                             declared.name));
      } else if (!declared.optional) {
        space_.push_back({declared.name, declared.initial.to(options_),
                          declared.coordinates, false});
      }
    }
    // Weights can be made only from hyperparameters without mistakes.
    weights_can_be_made_ = complaints_.empty();
  }

  /// Those that only the training rule refers to. Called after
  /// read_declared().
  void read_referred(const std::set<std::string>& references,
                     const Optimizer* rule) {
    for (const std::string& name : references) {
      if (is_known(name)) continue;
      known_.push_back(name);
      if (section_.has(name)) {
        read_of_rule(name,
                     rule != nullptr && rule->sees_tensors() ? rule : nullptr);
      } else {
        complain(section_.pointer(),
                 fmt::format("the training rule refers to \"${0}\", but there "
                             "is no hyperparameter '{0}'",
                             name));
      }
    }
  }

  /// Complains about entries that nothing reads, and about an empty section.
  void refuse_unknown() {
    for (const auto& [name, value] : section_.json().items()) {
      if (is_known(name)) continue;
      const std::string near = nearest(name, known_);
      complain(section_.pointer(name),
               fmt::format(
                   "neither the problem nor the training rule reads a "
                   "hyperparameter '{}'; {}",
                   name,
                   near.empty()
                       ? fmt::format("there are: {}", fmt::join(known_, ", "))
                       : fmt::format("did you mean '{}'?", near)));
    }
    if (complaints_.empty() && section_.json().empty()) {
      complain(
          section_.pointer(),
          "there is no hyperparameter to tune; for plain training, add one "
          "with \"tuned\": false");
    }
  }

  /// What was read. Throws ConfigError with all complaints.
  std::vector<HyperSpec> take() {
    if (!complaints_.empty()) throw ConfigError(std::move(complaints_));
    return std::move(space_);
  }

 private:
  void complain(std::string pointer, std::string message) {
    complaints_.push_back({std::move(pointer), std::move(message)});
  }

  bool is_known(const std::string& name) const {
    return std::count(known_.begin(), known_.end(), name) > 0;
  }

  void read(const Hyperparameter& declared, bool of_rule) {
    const Config entry = section_.object(declared.name);
    space_.push_back(
        EntryReader(entry, declared, of_rule, complaints_).read(options_));
  }

  /// `by_tensor`: the rule, if it has numbers for parts of the weights.
  void read_of_rule(const std::string& name, const Optimizer* by_tensor) {
    const Config entry = section_.object(name);
    const std::string per = entry.has("per") ? entry.text("per") : "all";
    std::vector<Granularity> parts{{"all", 1}};
    std::vector<Hyperparameter> declared;
    if (by_tensor != nullptr || (per != "all" && per != "step")) {
      if (!weights_can_be_made_) return;
      parts = weight_granularities(weights());
      if (by_tensor != nullptr)
        declared = by_tensor->hyperparameters(weights());
    }
    declared.push_back(declared_by_rule(name, parts));
    read(*std::find_if(declared.begin(), declared.end(),
                       [&](const Hyperparameter& h) { return h.name == name; }),
         /*of_rule=*/true);
  }

  /// First weights of the problem, made when they are asked for.
  const ParameterSet& weights() {
    if (!weights_) {
      ParameterSet start;
      for (const HyperSpec& spec : space_)
        start.insert(spec.name, spec.initial.contiguous());
      weights_ = problem_.initial_weights(start, Key()).detach();
    }
    return *weights_;
  }

  const Config& section_;
  const BilevelProblem& problem_;
  const at::TensorOptions& options_;
  std::vector<Complaint> complaints_;
  std::vector<HyperSpec> space_;
  std::vector<std::string> known_;
  bool weights_can_be_made_ = false;
  std::optional<ParameterSet> weights_;
};

}  // namespace

Schema hyper_spec_schema() {
  return Schema(
             "A hyperparameter: its start, its coordinates, and how many "
             "numbers it consists of.")
      .numbers("initial", kAbsent,
               "The start, in the hyperparameter's own units: one number for "
               "all elements, or a list. Default: the problem's.")
      .choice(
          "coordinates", kAbsent,
          "The coordinates in which it is moved: real (unchanged), log or "
          "softplus (it stays positive), logit (it stays inside `range`). "
          "Default: the problem's, or log for a setting of the training rule.",
          {"real", "log", "softplus", "logit"})
      .numbers(
          "range", kAbsent,
          "Lower and upper end of a logit hyperparameter. Default: [0, 1].")
      .text("per", kAbsent,
            "How many numbers: all (one), layer, tensor (one per parameter "
            "tensor), weight, class, example, position (one for each place in "
            "the model that refers to it) or step, if the hyperparameter "
            "offers it.")
      .integer("steps", kAbsent,
               "With \"per\": \"step\": the number of steps. The last number "
               "stays in effect afterwards.",
               at_least(1))
      .boolean(
          "tuned", true,
          "False: it stays at its start, but losses and rules still read it.");
}

std::map<std::string, std::string> chosen_granularities(const Config& section) {
  std::map<std::string, std::string> out;
  for (const auto& [name, entry] : section.json().items()) {
    const Config read = section.object(name);
    if (read.has("per")) out[name] = read.text("per");
  }
  return out;
}

std::vector<HyperSpec> read_hyper_space(const Config& section,
                                        const BilevelProblem& problem,
                                        const std::set<std::string>& references,
                                        const at::TensorOptions& options,
                                        const Optimizer* rule) {
  SpaceReader reader(section, problem, options);
  reader.read_declared();
  reader.read_referred(references, rule);
  reader.refuse_unknown();
  return reader.take();
}

std::set<std::string> references(const Json& json) {
  std::set<std::string> names;
  if (json.is_string()) {
    const auto text = json.get<std::string>();
    if (text.size() > 1 && text[0] == '$') names.insert(text.substr(1));
  }
  if (json.is_structured()) {
    for (const Json& value : json) names.merge(references(value));
  }
  return names;
}

}  // namespace nestgrad
