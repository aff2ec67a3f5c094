#include "experiments/recorder.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>

#include "core/error.h"
#include "core/memory_meter.h"

namespace nestgrad {
namespace {

/// Up to so many numbers of one hyperparameter are shown one by one.
constexpr std::int64_t kFew = 10;

constexpr const char* kLossPanel = "validation loss";

}  // namespace

std::vector<std::pair<std::string, double>> summary_of(
    const ParameterSet& natural) {
  std::vector<std::pair<std::string, double>> out;
  for (std::size_t i = 0; i < natural.size(); ++i) {
    const std::string& name = natural.name(i);
    const Tensor t =
        natural.tensors()[i].detach().to(at::kCPU).to(at::kDouble).reshape(-1);
    if (natural.tensors()[i].dim() == 0) {
      out.emplace_back(name, t.item<double>());
    } else if (t.numel() <= kFew) {
      for (std::int64_t k = 0; k < t.numel(); ++k) {
        out.emplace_back(fmt::format("{}.{}", name, k), t[k].item<double>());
      }
    } else {
      out.emplace_back(name + ".mean", t.mean().item<double>());
      out.emplace_back(name + ".min", t.min().item<double>());
      out.emplace_back(name + ".max", t.max().item<double>());
    }
  }
  return out;
}

Recorder::Recorder(const std::string& path, std::int64_t every)
    : path_(path), every_(every), file_(std::fopen(path.c_str(), "w")) {
  require(file_ != nullptr, "{}: cannot be written: {}", path,
          std::strerror(errno));
}

Recorder::~Recorder() { std::fclose(file_); }

Json Recorder::line_of(const OuterStep& step) const {
  Json line = {{"step", step.step},
               {"seconds", step.seconds},
               {"outer_loss", step.objective},
               {"gradient_norm", step.gradient_norm},
               {"estimate_seconds", step.estimate_seconds},
               {"tensor_mib", mebibytes(step.estimate_bytes)},
               {"status", to_string(step.status)}};
  if (step.status != Status::kOk) line["trouble"] = *step.trouble;
  for (const auto& [name, value] : *step.metrics) line[name] = value;
  for (const auto& [name, value] : summary_of(*step.natural)) {
    line[line.contains(name) ? "hyper." + name : name] = value;
  }
  return line;
}

void Recorder::on_failure(const OuterStep& step) { write_line(line_of(step)); }

Observer::Verdict Recorder::on_step(const OuterStep& step) {
  Json line = line_of(step);
  const auto x = static_cast<double>(step.step);
  remember(kLossPanel, kLossPanel, x, step.objective);
  for (const auto& [name, value] : summary_of(*step.natural)) {
    remember(name.substr(0, name.find('.')), name, x, value);
  }
  if (step.step % every_ == 0 || step.step == step.steps) {
    last_evaluation_ = step.evaluate();
    for (const auto& [name, value] : last_evaluation_) {
      line["evaluated." + name] = value;
    }
  }
  write_line(line);
  return Verdict::kContinue;
}

void Recorder::write_line(const Json& line) {
  const std::string text = line.dump() + "\n";
  const bool written =
      std::fwrite(text.data(), 1, text.size(), file_) == text.size() &&
      std::fflush(file_) == 0;
  require(written, "{}: cannot be written: {}", path_, std::strerror(errno));
}

void Recorder::remember(const std::string& panel, const std::string& curve,
                        double x, double y) {
  Panel* place = nullptr;
  for (Panel& known : panels_) {
    if (known.title == panel) place = &known;
  }
  if (place == nullptr) {
    panels_.emplace_back();
    place = &panels_.back();
    place->title = panel;
    place->x_label = "outer step";
  }
  for (Curve& known : place->curves) {
    if (known.name != curve) continue;
    known.x.push_back(x);
    known.y.push_back(y);
    return;
  }
  place->curves.push_back({curve, {x}, {y}});
}

std::vector<Panel> Recorder::panels() const {
  std::vector<Panel> out = panels_;
  for (Panel& panel : out) {
    if (panel.title == kLossPanel) continue;
    double low = INFINITY, high = 0;
    for (const Curve& curve : panel.curves) {
      for (const double y : curve.y) {
        low = std::min(low, y);
        high = std::max(high, y);
      }
    }
    panel.logarithmic = low > 0 && high > 10 * low;
  }
  return out;
}

}  // namespace nestgrad
