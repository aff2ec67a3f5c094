#include "experiments/record/learned_examples.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/platform/files.h"
#include "experiments/data/arrays/idx_file.h"
#include "experiments/data/arrays/npz_file.h"
#include "experiments/plot/canvas.h"

namespace nestgrad {
namespace {

constexpr std::int64_t kMostRows = 10;
constexpr std::int64_t kMostColumns = 20;
constexpr std::size_t kMostMoments = 12;
constexpr double kSide = 56;  // of an image in the picture
constexpr double kGap = 6;
constexpr double kMargin = 14;
constexpr double kLabelHeight = 14;
constexpr double kWidestLabel = 120;  // of a row
// Grey that can be read on a light page and on a dark one.
const Font kLabel{9.5, {0.52, 0.52, 0.52}};

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

/// The width of the widest of these labels of rows.
double width_of(const std::vector<std::string>& labels) {
  Canvas canvas(1, 1);
  double width = 0;
  for (const std::string& label : labels) {
    width = std::max(width, canvas.text_width(label, kLabel));
  }
  return std::min(width, kWidestLabel);
}

/// A grid of images with a label above each column and, perhaps, before each
/// row. All margins are equal.
class Sheet {
 public:
  /// `row_labels`: the width of the labels of rows; 0: there are none.
  Sheet(std::int64_t columns, std::int64_t rows, double row_labels = 0)
      : left_(kMargin + row_labels + (row_labels > 0 ? kGap : 0)),
        canvas_(size(left_, columns), size(kTop, rows),
                Canvas::Ground::kClear) {}

  /// `image`: [channels, height, width], 0 to 1.
  void put(const Tensor& image, std::int64_t column, std::int64_t row) {
    canvas_.image({x(column), y(row)}, kSide, image);
  }

  void label_column(std::int64_t column, const std::string& text) {
    canvas_.text({x(column) + kSide / 2, kTop - kGap},
                 canvas_.fitted(text, kLabel, kSide + kGap - 2), kLabel, 0.5);
  }

  void label_row(std::int64_t row, const std::string& text) {
    canvas_.text({left_ - kGap, y(row) + kSide / 2 + 3.5},
                 canvas_.fitted(text, kLabel, kWidestLabel), kLabel, 1);
  }

  /// The label of the labels above columns.
  void label_corner(const std::string& text) {
    canvas_.text({left_ - kGap, kTop - kGap}, text, kLabel, 1);
  }

  std::string png() const { return canvas_.png(); }

 private:
  static constexpr double kTop = kMargin + kLabelHeight;

  static double place(double first, std::int64_t i) {
    return first + static_cast<double>(i) * (kSide + kGap);
  }
  static int size(double first, std::int64_t count) {
    return static_cast<int>(std::ceil(place(first, count) - kGap + kMargin));
  }
  double x(std::int64_t column) const { return place(left_, column); }
  double y(std::int64_t row) const { return place(kTop, row); }

  double left_;
  Canvas canvas_;
};

}  // namespace

std::string draw_examples(const SoftExamples& examples) {
  if (!are_images(examples.inputs)) return "";
  const std::int64_t n = examples.inputs.size(0);
  const std::int64_t columns =
      std::min({examples.labels.size(1), n, kMostColumns});
  const std::int64_t rows = std::min((n + columns - 1) / columns, kMostRows);
  const Tensor shown = examples.inputs.slice(0, 0, columns * rows);
  const Tensor pixels = Exposure(shown)(shown);
  Sheet sheet(columns, rows);
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
  Sheet sheet(static_cast<std::int64_t>(shown.size()), rows, width_of(labels));
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
