#include "experiments/record/examples/learned_examples.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/platform/files.h"
#include "experiments/data/arrays/idx_file.h"
#include "experiments/data/arrays/npz_file.h"
#include "experiments/record/examples/image_sheet.h"

namespace nestgrad {
namespace {

constexpr std::int64_t kMostRows = 10;
constexpr std::int64_t kMostColumns = 20;
constexpr std::size_t kMostMoments = 12;

/// The names of these classes, or their numbers if not all have names.
std::vector<std::string> labels_of(const Tensor& classes, std::int64_t count,
                                   const std::vector<std::string>& names) {
  const bool named = static_cast<std::int64_t>(names.size()) == count;
  std::vector<std::string> out;
  for (std::int64_t i = 0; i < classes.size(0); ++i) {
    const auto number = classes[i].item<std::int64_t>();
    out.push_back(named ? names[static_cast<std::size_t>(number)]
                        : fmt::format("{}", number));
  }
  return out;
}

}  // namespace

std::string draw_examples(const SoftExamples& examples) {
  if (!are_images(examples.inputs)) return "";
  const std::int64_t n = examples.inputs.size(0);
  const std::int64_t columns =
      std::min({examples.labels.size(1), n, kMostColumns});
  const std::int64_t rows = std::min((n + columns - 1) / columns, kMostRows);
  const Tensor shown = examples.inputs.slice(0, 0, columns * rows);
  const Tensor pixels = Exposure(shown)(shown);
  ImageSheet sheet(columns, rows);
  for (std::int64_t i = 0; i < shown.size(0); ++i) {
    sheet.put(pixels[i], i % columns, i / columns);
  }
  const auto labels = labels_of(examples.labels.slice(0, 0, columns).argmax(1),
                                examples.labels.size(1), examples.target_names);
  for (std::int64_t i = 0; i < columns; ++i) {
    sheet.label_column(i, labels[static_cast<std::size_t>(i)]);
  }
  return sheet.png();
}

ExamplesOverTime::ExamplesOverTime(const BilevelProblem& problem,
                                   const SoftExamples& start)
    : problem_(problem) {
  moments_.push_back(moment(0, start));
}

ExamplesOverTime::Moment ExamplesOverTime::moment(std::int64_t step,
                                                  const SoftExamples& all) {
  const std::int64_t rows =
      std::min({all.labels.size(1), all.inputs.size(0), kMostRows});
  return {step,
          {all.inputs.slice(0, 0, rows).clone(),
           all.labels.slice(0, 0, rows).clone()}};
}

Observer::Verdict ExamplesOverTime::on_step(const OuterStep& step) {
  // Steps 1, 2, 4, 8, ...
  if ((step.step & (step.step - 1)) == 0) {
    moments_.push_back(
        moment(step.step, problem_.learned_examples(*step.next)));
  }
  return Verdict::kContinue;
}

std::string ExamplesOverTime::draw(std::int64_t step,
                                   const SoftExamples& now) const {
  if (!are_images(moments_.front().examples.inputs)) return "";
  std::vector<Moment> shown = moments_;
  while (shown.back().step > step) shown.pop_back();
  if (shown.back().step < step) shown.push_back(moment(step, now));
  // Keep the start and the latest moments.
  if (shown.size() > kMostMoments) {
    shown.erase(shown.begin() + 1,
                shown.end() - static_cast<std::ptrdiff_t>(kMostMoments - 1));
  }
  const SoftExamples& last = shown.back().examples;
  const std::int64_t rows = last.inputs.size(0);
  std::vector<std::string> labels =
      labels_of(last.labels.argmax(1), last.labels.size(1), now.target_names);
  labels.push_back("outer step");
  ImageSheet sheet(static_cast<std::int64_t>(shown.size()), rows,
                   ImageSheet::width_of(labels));
  for (std::size_t column = 0; column < shown.size(); ++column) {
    const auto x = static_cast<std::int64_t>(column);
    // Each moment has its own exposure: noise at the start is faint.
    const Tensor& images = shown[column].examples.inputs;
    const Tensor pixels = Exposure(images)(images);
    for (std::int64_t row = 0; row < rows; ++row) {
      sheet.put(pixels[row], x, row);
    }
    sheet.label_column(x, fmt::format("{}", shown[column].step));
  }
  sheet.label_corner(labels.back());
  for (std::int64_t row = 0; row < rows; ++row) {
    sheet.label_row(row, labels[static_cast<std::size_t>(row)]);
  }
  return sheet.png();
}

void ExamplesOverTime::Moment::persist(Archive& archive) {
  ParameterSet both;
  if (!archive.restoring()) {
    both = {{"inputs", examples.inputs}, {"labels", examples.labels}};
  }
  archive("step", step);
  archive("examples", both);
  examples = {both.at("inputs"), both.at("labels")};
}

void ExamplesOverTime::persist(Archive& archive) {
  archive("moments", moments_);
}

void write_learned_examples(const RunFolder& folder,
                            const SoftExamples& examples) {
  const Tensor targets = examples.labels.argmax(1);
  const Tensor inputs = examples.inputs.detach().to(at::kCPU).to(at::kFloat);
  save_npz(folder.file("distilled.npz"),
           {{"inputs", inputs},
            {"labels", examples.labels.detach().to(at::kFloat)},
            {"targets", targets}});
  if (!are_images(inputs)) return;
  write_file(folder.file("distilled.png"), draw_examples(examples));
  if (inputs.size(1) != 1) return;
  write_idx(folder.file("distilled-images-idx3-ubyte"),
            folder.file("distilled-labels-idx1-ubyte"),
            {(inputs.clamp(0, 1) * 255).round().to(at::kByte), targets,
             examples.labels.size(1)});
}

}  // namespace nestgrad
