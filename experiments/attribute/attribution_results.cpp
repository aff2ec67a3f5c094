#include "experiments/attribute/attribution_results.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/platform/files.h"
#include "core/platform/text.h"
#include "core/tensor/numbers.h"
#include "experiments/data/arrays/npz_file.h"
#include "experiments/problems/scores.h"
#include "experiments/record/examples/image_sheet.h"

namespace nestgrad {
namespace {

constexpr std::int64_t kListed = 20;  // examples of each kind in results.json
constexpr std::size_t kTargetsListed = 60;
constexpr std::size_t kTargetsShown = 8;  // in texts and in the picture
constexpr std::int64_t kShown = 7;        // images of each kind
constexpr std::size_t kTold = 3;          // rows of each kind in texts

/// Whether a target is a class, of which there is one per example.
bool has_class(const KnownExamples& examples) {
  return examples.targets.defined() && examples.targets.dim() == 1 &&
         examples.targets.scalar_type() == at::kLong;
}

}  // namespace

std::vector<std::int64_t> AttributionResults::first_of(std::size_t target,
                                                       bool harmful) const {
  const Tensor values = influence[static_cast<std::int64_t>(target)];
  const std::int64_t n = std::min(kListed, values.numel());
  const Tensor which =
      std::get<1>(values.sort(/*stable=*/true, 0, harmful)).slice(0, 0, n);
  std::vector<std::int64_t> out;
  for (std::int64_t i = 0; i < n; ++i) {
    const auto example = which[i].item<std::int64_t>();
    const double value = values[example].item<double>();
    if (harmful ? value > 0 : value < 0) out.push_back(example);
  }
  return out;
}

std::vector<std::int64_t> AttributionResults::most_harmful(
    std::size_t target) const {
  return first_of(target, true);
}

std::vector<std::int64_t> AttributionResults::most_helpful(
    std::size_t target) const {
  return first_of(target, false);
}

std::optional<double> AttributionResults::wrong_labels_found(
    std::size_t target) const {
  if (!examples.corrupted.defined()) return {};
  const Tensor values = influence[static_cast<std::int64_t>(target)];
  const Tensor wrong = values.masked_select(examples.corrupted);
  const Tensor right = values.masked_select(examples.corrupted.logical_not());
  if (wrong.numel() == 0 || right.numel() == 0) return {};
  return area_under_curve(wrong, right);
}

std::string AttributionResults::label(std::int64_t example) const {
  if (has_class(examples)) {
    const auto number = examples.targets[example].item<std::int64_t>();
    const auto i = static_cast<std::size_t>(number);
    return i < examples.target_names.size() ? examples.target_names[i]
                                            : std::to_string(number);
  }
  const Tensor target = examples.targets[example];
  return target.numel() == 1 ? fmt::format("{:.4g}", target.item<double>())
                             : "";
}

Json AttributionResults::listed(std::size_t target,
                                const std::vector<std::int64_t>& which) const {
  Json out = Json::array();
  for (const std::int64_t example : which) {
    out.push_back(
        {{"example", example},
         {"row", examples.rows[static_cast<std::size_t>(example)]},
         {"label", label(example)},
         {"influence", influence[static_cast<std::int64_t>(target)][example]
                           .item<double>()}});
  }
  return out;
}

Json AttributionResults::to_json() const {
  Json out = {{"method", method},
              {"training_steps", steps},
              {"training_examples", influence.size(1)},
              {"targets", Json::array()}};
  for (std::size_t j = 0; j < std::min(targets.size(), kTargetsListed); ++j) {
    out["targets"].push_back({{"name", targets[j].name},
                              {"loss", losses[j]},
                              {"most_helpful", listed(j, most_helpful(j))},
                              {"most_harmful", listed(j, most_harmful(j))}});
    if (const auto found = wrong_labels_found(j)) {
      out["targets"].back()["wrong_labels_auc"] = *found;
    }
  }
  out["targets_left_out"] =
      targets.size() - std::min(targets.size(), kTargetsListed);
  if (score) {
    out["verification"] = {{"networks", networks},
                           {"share_left_out", share},
                           {"score", score->value},
                           {"low", score->low},
                           {"high", score->high}};
  }
  return out;
}

std::string AttributionResults::csv() const {
  std::string out = "example,row,label";
  for (const AttributionTarget& target : targets) {
    out += "," + csv_field(target.name);
  }
  out += "\n";
  const Tensor by_example = influence.t().contiguous();
  const double* number = by_example.data_ptr<double>();
  for (std::int64_t i = 0; i < by_example.size(0); ++i) {
    out +=
        fmt::format("{},{},{}", i, examples.rows[static_cast<std::size_t>(i)],
                    csv_field(label(i)));
    for (std::size_t j = 0; j < targets.size(); ++j) {
      out += fmt::format(",{}", *number++);
    }
    out += "\n";
  }
  return out;
}

std::string AttributionResults::text() const {
  std::string out = fmt::format(
      "\n{} training examples, {} training steps, {}\n\ntarget        loss  "
      "examples that helped and that harmed most: row (label) influence\n",
      influence.size(1), steps, method);
  const auto shown = [&](std::size_t j, std::vector<std::int64_t> which) {
    if (which.size() > kTold) which.resize(kTold);
    std::string line;
    for (const Json& e : listed(j, which)) {
      const auto label = e["label"].get<std::string>();
      line += fmt::format("  {}{} {:.2e}", e["row"].get<std::int64_t>(),
                          label.empty() ? "" : " (" + label + ")",
                          e["influence"].get<double>());
    }
    return line;
  };
  for (std::size_t j = 0; j < std::min(targets.size(), kTargetsShown); ++j) {
    out += fmt::format("{:10}{:8.4f}  helped{}\n{:20}harmed{}\n",
                       targets[j].name, losses[j], shown(j, most_helpful(j)),
                       "", shown(j, most_harmful(j)));
  }
  if (targets.size() > kTargetsShown) {
    out += fmt::format("... and {} more targets\n",
                       targets.size() - kTargetsShown);
  }
  if (const auto found = wrong_labels_found(0)) {
    out += fmt::format(
        "\nwrong labels among the examples that harm '{}': area under the "
        "curve {:.3f}\n",
        targets[0].name, *found);
  }
  if (score) {
    out += fmt::format(
        "\nlinear datamodelling score over {} networks, each without {:g} % of "
        "the examples: {:.3f}, 95 % interval {:.3f} to {:.3f}\n",
        networks, 100 * share, score->value, score->low, score->high);
    if (score->low < 0.3) {
      out +=
          "The score is low: predictions of what a network would be without "
          "some examples are not to be trusted. Derivatives through training "
          "help where training is smooth: smooth activations, a small "
          "learning rate at the start, float64, no batch normalization.\n";
    }
  }
  return out;
}

void AttributionResults::draw(const std::string& path,
                              const BilevelProblem& problem) const {
  if (!are_images(examples.inputs)) return;
  const std::size_t rows = std::min(targets.size(), kTargetsShown);
  std::vector<std::string> names;
  for (std::size_t j = 0; j < rows; ++j) names.push_back(targets[j].name);
  // The target, those that helped, an empty column, those that harmed.
  constexpr std::int64_t kFirstHelpful = 1, kFirstHarmful = 2 + kShown;
  ImageSheet sheet(kFirstHarmful + kShown, static_cast<std::int64_t>(rows),
                   ImageSheet::width_of(names));
  const Exposure exposure(examples.inputs.slice(0, 0, 1000));
  sheet.label_column(0, "target");
  sheet.label_column(kFirstHelpful, "helped");
  sheet.label_column(kFirstHarmful, "harmed");
  for (std::size_t j = 0; j < rows; ++j) {
    const auto row = static_cast<std::int64_t>(j);
    sheet.label_row(row, names[j]);
    if (targets[j].rows.size() == 1) {
      const KnownExamples target = problem.examples(
          targets[j].part, at::tensor(targets[j].rows, at::kLong));
      sheet.put(exposure(target.inputs[0]), 0, row);
    }
    for (const bool harmful : {false, true}) {
      const auto which = harmful ? most_harmful(j) : most_helpful(j);
      const std::size_t count =
          std::min(which.size(), static_cast<std::size_t>(kShown));
      for (std::size_t i = 0; i < count; ++i) {
        sheet.put(exposure(examples.inputs[which[i]]),
                  (harmful ? kFirstHarmful : kFirstHelpful) +
                      static_cast<std::int64_t>(i),
                  row);
      }
    }
  }
  write_file(path, sheet.png());
}

void AttributionResults::write(const std::string& folder,
                               const BilevelProblem& problem) const {
  ParameterSet arrays{{"influence", influence},
                      {"loss", at::tensor(losses, at::kDouble)},
                      {"row", at::tensor(examples.rows, at::kLong)}};
  if (examples.targets.defined()) {
    arrays.insert("label", examples.targets.to(at::kCPU).contiguous());
  }
  save_npz(folder + "/attribution.npz", arrays);
  write_file(folder + "/attribution.csv", csv());
  draw(folder + "/attribution.png", problem);
  write_file(folder + "/results.json", to_json().dump(2) + "\n");
}

}  // namespace nestgrad
