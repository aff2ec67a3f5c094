#include "experiments/record/examples/samples.h"

#include <ATen/ATen.h>

#include "core/platform/files.h"
#include "core/tensor/numbers.h"
#include "experiments/data/arrays/npz_file.h"
#include "experiments/plot/plane.h"
#include "experiments/record/examples/image_sheet.h"

namespace nestgrad {
namespace {

constexpr std::int64_t kStoredSamples = 256;
constexpr std::int64_t kShownSamples = 16;

std::string draw_samples(const Tensor& before, const Tensor& after) {
  const std::vector<std::string> labels = {"before", "after"};
  ImageSheet sheet(kShownSamples, 2, ImageSheet::width_of(labels));
  const Exposure exposure(at::cat({before.slice(0, 0, kShownSamples),
                                   after.slice(0, 0, kShownSamples)}));
  for (std::int64_t row = 0; row < 2; ++row) {
    sheet.label_row(row, labels[static_cast<std::size_t>(row)]);
    for (std::int64_t i = 0; i < kShownSamples; ++i) {
      sheet.put(exposure((row == 0 ? before : after)[i]), i, row);
    }
  }
  return sheet.png();
}

/// Points [n, 2].
Curve cloud(const std::string& name, const Tensor& points) {
  return {name, to_numbers(points.select(1, 0)),
          to_numbers(points.select(1, 1))};
}

}  // namespace

void write_samples(const RunFolder& folder, const BilevelProblem& problem,
                   const ParameterSet& before, const ParameterSet& after) {
  const auto of = [&](const ParameterSet& hyper) {
    const Tensor samples = problem.samples(hyper, kStoredSamples);
    return samples.defined() ? samples.detach().to(at::kCPU, at::kFloat)
                             : samples;
  };
  const Tensor first = of(before);
  if (!first.defined()) return;
  const Tensor second = of(after);
  save_npz(folder.file("samples.npz"), {{"before", first}, {"after", second}});
  if (first.dim() == 2 && first.size(1) == 2) {
    draw_plane(folder.file("samples.png"),
               {"Samples",
                "first number",
                "second number",
                {},
                {cloud("before", first), cloud("after", second)}});
  }
  if (!are_images(first)) return;
  write_file(folder.file("samples.png"), draw_samples(first, second));
}

}  // namespace nestgrad
