#include "experiments/record/learned_examples.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/platform/files.h"
#include "experiments/data/idx_file.h"
#include "experiments/data/npy_file.h"
#include "experiments/plot/canvas.h"

namespace nestgrad {
namespace {

constexpr std::int64_t kMostRows = 10;
constexpr std::int64_t kMostColumns = 20;
constexpr std::size_t kMostMoments = 12;
constexpr int kSide = 56;  // of an image in the picture
constexpr int kGap = 6;
constexpr int kMargin = 44;
const Font kLabel{11, {0.25, 0.25, 0.25}};

bool are_images(const Tensor& inputs) {
  return inputs.defined() && inputs.dim() == 4 &&
         (inputs.size(1) == 1 || inputs.size(1) == 3);
}

/// Scales pixels to 0 ... 1 so that one percent are black and one percent
/// white.
struct Exposure {
  explicit Exposure(const Tensor& images) {
    const Tensor sorted = std::get<0>(
        images.detach().to(at::kCPU).to(at::kFloat).flatten().sort());
    const std::int64_t n = sorted.size(0);
    black = sorted[n / 100].item<double>();
    white = sorted[n - 1 - n / 100].item<double>();
  }

  Tensor operator()(const Tensor& images) const {
    const double range = white > black ? white - black : 1;
    return ((images.detach().to(at::kCPU).to(at::kFloat) - black) / range)
        .clamp(0, 1);
  }

  double black, white;
};

double at_place(std::int64_t i) {
  return static_cast<double>(kMargin + i * (kSide + kGap));
}

/// Draws a cell of the grid. `image`: [channels, height, width], 0 to 1.
void put(Canvas& canvas, const Tensor& image, std::int64_t column,
         std::int64_t row) {
  canvas.image({at_place(column), at_place(row)}, kSide, image);
}

Canvas sheet(std::int64_t columns, std::int64_t rows) {
  return Canvas(static_cast<int>(at_place(columns)),
                static_cast<int>(at_place(rows)));
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
  const auto [share, best] = examples.labels.max(1);
  Canvas canvas = sheet(columns, rows);
  for (std::int64_t i = 0; i < shown.size(0); ++i) {
    const std::int64_t column = i % columns, row = i / columns;
    put(canvas, pixels[i], column, row);
    if (row > 0) continue;
    canvas.text({at_place(column) + 0.5 * kSide, kMargin - 10.0},
                fmt::format("{}", best[i].item<std::int64_t>()), kLabel, 0.5);
  }
  return canvas.png();
}

ExamplesOverTime::ExamplesOverTime(const BilevelProblem& problem,
                                   const SoftExamples& start)
    : problem_(problem) {
  remember(0, start);
}

void ExamplesOverTime::remember(std::int64_t step, const SoftExamples& all) {
  const std::int64_t rows =
      std::min({all.labels.size(1), all.inputs.size(0), kMostRows});
  moments_.push_back({step,
                      {all.inputs.slice(0, 0, rows).clone(),
                       all.labels.slice(0, 0, rows).clone()}});
}

Observer::Verdict ExamplesOverTime::on_step(const OuterStep& step) {
  // Steps 1, 2, 4, 8, ... and the last.
  const bool power = (step.step & (step.step - 1)) == 0;
  if (power || step.step == step.steps) {
    remember(step.step, problem_.learned_examples(*step.hyper));
  }
  return Verdict::kContinue;
}

std::string ExamplesOverTime::draw() const {
  if (!are_images(moments_.front().examples.inputs)) return "";
  std::vector<Moment> shown = moments_;
  // Keep the start and the latest moments.
  if (shown.size() > kMostMoments) {
    shown.erase(shown.begin() + 1,
                shown.end() - static_cast<std::ptrdiff_t>(kMostMoments - 1));
  }
  const std::int64_t rows = shown.front().examples.inputs.size(0);
  Canvas canvas = sheet(static_cast<std::int64_t>(shown.size()), rows);
  for (std::size_t column = 0; column < shown.size(); ++column) {
    const auto x = static_cast<std::int64_t>(column);
    // Each moment has its own exposure: noise at the start is faint.
    const Tensor& images = shown[column].examples.inputs;
    const Tensor pixels = Exposure(images)(images);
    for (std::int64_t row = 0; row < rows; ++row) {
      put(canvas, pixels[row], x, row);
    }
    canvas.text({at_place(x) + 0.5 * kSide, kMargin - 10.0},
                fmt::format("{}", shown[column].step), kLabel, 0.5);
  }
  canvas.text({0.5 * kMargin, kMargin - 10.0}, "step", kLabel, 0.5);
  const Tensor classes = shown.back().examples.labels.argmax(1);
  for (std::int64_t row = 0; row < rows; ++row) {
    canvas.text({0.5 * kMargin, at_place(row) + 0.5 * kSide + 4},
                fmt::format("{}", classes[row].item<std::int64_t>()), kLabel,
                0.5);
  }
  return canvas.png();
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
