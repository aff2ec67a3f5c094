#include "experiments/record/recorder.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "core/platform/memory_meter.h"
#include "core/platform/threads.h"
#include "core/tensor/numbers.h"
#include "experiments/plot/axis.h"

namespace nestgrad {
namespace {

/// Hyperparameters of up to this many elements are shown one by one.
constexpr std::int64_t kFew = 10;

constexpr const char* kLossPanel = "validation loss";

constexpr std::int64_t kBins = 32;

/// Numbers that are copied at a time. All of 20 million decays in double
/// precision would need more memory than an estimate.
constexpr std::int64_t kPiece = 1 << 18;

/// A sum of at most this many numbers is computed at once, because the sum of
/// partial sums is rounded differently.
constexpr std::int64_t kSummedAtOnce = 1 << 22;

/// Calls f(piece) for consecutive pieces of a tensor, in double precision on
/// the CPU.
template <class F>
void for_each_piece(const Tensor& t, std::int64_t length, F&& f) {
  const Tensor flat = t.detach().reshape(-1);
  for (std::int64_t first = 0; first < flat.numel(); first += length) {
    f(flat.slice(0, first, first + length).to(at::kCPU).to(at::kDouble));
  }
}

double mean_of(const Tensor& t) {
  // Threads divide a sum, so it would depend on what the networks before it
  // were, which a resumed run has not seen.
  give_threads_to_convolutions(0);
  if (t.numel() <= kSummedAtOnce) {
    return t.detach().to(at::kCPU).to(at::kDouble).mean().item<double>();
  }
  double sum = 0;
  for_each_piece(t, kSummedAtOnce, [&](const Tensor& piece) {
    sum += piece.sum().item<double>();
  });
  return sum / static_cast<double>(t.numel());
}

/// The least and the largest number; NaN if one of the numbers is NaN.
std::pair<double, double> range_of(const Tensor& t) {
  const Tensor plain = t.detach();
  return {plain.min().item<double>(), plain.max().item<double>()};
}

/// The distribution of the elements: counts in bins of equal width; bins of
/// logarithms if the hyperparameter is tuned in logarithms.
Json distribution(const Tensor& natural, const Tensor& raw) {
  const auto [low, high] = range_of(natural);
  const bool logarithmic = low > 0 && are_logarithms(natural, raw);
  std::vector<std::int64_t> counts(kBins, 0);
  if (low < high) {
    const auto values = [&](const Tensor& piece) {
      return logarithmic ? piece.log() : piece;
    };
    double first = low, last = high;
    if (logarithmic) {
      first = INFINITY;
      last = -INFINITY;
      for_each_piece(natural, kPiece, [&](const Tensor& piece) {
        const auto [least, largest] = range_of(values(piece));
        first = std::min(first, least);
        last = std::max(last, largest);
      });
    }
    for_each_piece(natural, kPiece, [&](const Tensor& piece) {
      const Tensor found =
          at::histc(values(piece), kBins, first, last).contiguous();
      for (std::int64_t i = 0; i < kBins; ++i) {
        counts[static_cast<std::size_t>(i)] +=
            static_cast<std::int64_t>(found.data_ptr<double>()[i]);
      }
    });
  } else {
    counts[0] = natural.numel();
  }
  return {{"logarithmic", logarithmic},
          {"low", low},
          {"high", high},
          {"counts", counts}};
}

Curve curve_of(const char* name, const Tensor& schedule) {
  Curve out{name, {}, to_numbers(schedule)};
  for (std::size_t i = 0; i < out.y.size(); ++i) {
    out.x.push_back(static_cast<double>(i + 1));
  }
  return out;
}

Panel schedule_panel(const TunedHyper& tuned, const Tensor& now) {
  Panel out;
  out.title = tuned.name;
  out.x_label = "training step";
  out.curves = {curve_of("found", now), curve_of("start", tuned.schedule)};
  return out;
}

}  // namespace

std::vector<std::pair<std::string, double>> summary_of(
    const ParameterSet& natural, const NumberNames& names) {
  std::vector<std::pair<std::string, double>> out;
  for (std::size_t i = 0; i < natural.size(); ++i) {
    const std::string& name = natural.name(i);
    const Tensor& t = natural.tensors()[i];
    if (t.dim() == 0) {
      out.emplace_back(name, t.item<double>());
    } else if (!is_summarized(t)) {
      const Tensor flat = t.reshape(-1);
      const auto known = names.find(name);
      for (std::int64_t k = 0; k < t.numel(); ++k) {
        const auto i = static_cast<std::size_t>(k);
        const bool named = known != names.end() && i < known->second.size();
        out.emplace_back(
            fmt::format("{}.{}", name,
                        named ? known->second[i] : std::to_string(k)),
            flat[k].item<double>());
      }
    } else {
      const auto [low, high] = range_of(t);
      out.emplace_back(name + ".mean", mean_of(t));
      out.emplace_back(name + ".min", low);
      out.emplace_back(name + ".max", high);
    }
  }
  return out;
}

bool are_logarithms(const Tensor& natural, const Tensor& raw) {
  bool out = true;
  const Tensor flat = raw.detach().reshape(-1);
  std::int64_t first = 0;
  for_each_piece(natural, kPiece, [&](const Tensor& piece) {
    const Tensor other = flat.slice(0, first, first + piece.numel())
                             .to(at::kCPU)
                             .to(at::kDouble);
    out = out && at::allclose(piece.log(), other, 1e-4, 1e-4);
    first += piece.numel();
  });
  return out;
}

bool is_summarized(const Tensor& natural) {
  return natural.dim() > 0 && natural.numel() > kFew;
}

Recorder::Recorder(const std::string& folder, std::int64_t every,
                   const Counted& problem, std::vector<TunedHyper> tuned)
    : lines_(folder + "/metrics.jsonl"),
      every_(every),
      problem_(problem),
      tuned_(std::move(tuned)) {
  for (const TunedHyper& tuned : tuned_) {
    number_names_[tuned.name] = tuned.number_names;
  }
  if (std::any_of(tuned_.begin(), tuned_.end(),
                  [](const TunedHyper& h) { return h.summarized(); })) {
    histograms_ = std::make_unique<JsonLines>(folder + "/histograms.jsonl");
  }
}

bool is_evaluated(const OuterStep& step, std::int64_t every) {
  return step.step <= 1 || step.step % every == 0 || step.last;
}

Json Recorder::line_of(const OuterStep& step) const {
  Json line = {{"step", step.step}, {"seconds", step.seconds}};
  if (step.step > 0) {
    line.update(Json{{"outer_loss", step.objective},
                     {"gradient_norm", step.gradient_norm},
                     {"estimate_seconds", step.estimate_seconds},
                     {"tensor_mib", mebibytes(step.estimate_bytes)},
                     {"train_gradients", problem_.train_losses()},
                     {"status", to_string(step.status)}});
  }
  if (step.status != Status::kOk) line["trouble"] = *step.trouble;
  for (const auto& [name, value] : *step.metrics) line[name] = value;
  for (const auto& [name, value] : summary_of(*step.natural, number_names_)) {
    line[line.contains(name) ? "hyper." + name : name] = value;
  }
  return line;
}

void Recorder::on_failure(const OuterStep& step) {
  const Json line = line_of(step);
  write_start(line);
  lines_.append(line);
}

void Recorder::write_start(const Json& next) {
  if (start_.is_null()) return;
  Json line = Json::object();
  for (const auto& [name, value] : start_.items()) {
    line[next.contains("hyper." + name) ? "hyper." + name : name] = value;
  }
  lines_.append(line);
  start_ = nullptr;
}

void Recorder::on_start(const OuterStep& start) { record(start); }

Observer::Verdict Recorder::on_step(const OuterStep& step) {
  record(step);
  return Verdict::kContinue;
}

void Recorder::record(const OuterStep& step) {
  Json line = line_of(step);
  if (is_evaluated(step, every_)) {
    for (const auto& [name, value] : step.evaluate()) {
      line[kEvaluated + name] = value;
    }
    if (histograms_) write_histograms(step);
  }
  remember(line);
  if (step.step == 0) {
    start_ = line;
    return;
  }
  write_start(line);
  lines_.append(line);
}

void Recorder::write_histograms(const OuterStep& step) {
  for (std::size_t i = 0; i < step.natural->size(); ++i) {
    const Tensor& natural = step.natural->tensors()[i];
    if (!is_summarized(natural)) continue;
    const std::string& name = step.natural->name(i);
    Json entry = {{"step", step.step}, {"name", name}};
    entry.update(distribution(natural, step.hyper->at(name)));
    histograms_->append(entry);
  }
}

void Recorder::remember(const Json& line) {
  const auto number = [&](const std::string& key) {
    const Json& value = line.at(key);
    // Infinity becomes null in the file, which may be read again.
    const double number =
        value.is_number() ? value.get<double>() : std::nan("");
    return std::isfinite(number) ? number : std::nan("");
  };
  const double step = number("step");
  if (line.contains("outer_loss")) {
    remember(kLossPanel, kLossPanel, step, number("outer_loss"));
  }
  for (const TunedHyper& tuned : tuned_) {
    if (tuned.schedule.defined()) continue;
    for (const auto& entry : tuned.start) {
      const std::string& name = entry.first;
      const bool renamed = line.contains("hyper." + name);
      remember(tuned.name, name, step,
               number(renamed ? "hyper." + name : name));
    }
  }
  Metrics evaluation;
  const std::string prefix = kEvaluated;
  for (const auto& [key, value] : line.items()) {
    if (key.rfind(prefix, 0) != 0) continue;
    evaluation[key.substr(prefix.size())] = number(key);
  }
  if (evaluation.empty()) return;
  const auto [x, y] = problem_.plane();
  if (evaluation.count(x) > 0 && evaluation.count(y) > 0) {
    path_.x.push_back(evaluation[x]);
    path_.y.push_back(evaluation[y]);
  }
  last_evaluation_ = std::move(evaluation);
}

Json Recorder::tuned() const {
  Json out = Json::object();
  for (const TunedHyper& hyper : tuned_) out[hyper.name] = hyper.to_json();
  return out;
}

void Recorder::flush() {
  lines_.flush();
  if (histograms_) histograms_->flush();
}

void Recorder::persist(Archive& archive) {
  archive("metrics", lines_);
  if (histograms_) archive("histograms", *histograms_);
  if (!archive.restoring()) return;
  panels_.clear();
  for (const Json& line : lines_.lines()) remember(line);
}

void Recorder::remember(const std::string& panel, const std::string& curve,
                        double x, double y) {
  Panel* place = nullptr;
  for (Panel& known : panels_) {
    if (known.title == panel) place = &known;
  }
  if (place == nullptr) {
    // The loss comes first, although the start has none.
    place = &*panels_.emplace(panel == kLossPanel ? panels_.begin()
                                                  : panels_.end());
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

std::vector<Panel> Recorder::panels(const ParameterSet& natural) const {
  std::vector<Panel> out = panels_;
  for (const TunedHyper& tuned : tuned_) {
    if (tuned.schedule.defined()) {
      out.push_back(schedule_panel(tuned, natural.at(tuned.name)));
    }
    for (Panel& panel : out) {
      if (panel.title != tuned.name) continue;
      std::vector<double> values;
      for (const Curve& curve : panel.curves) {
        values.insert(values.end(), curve.y.begin(), curve.y.end());
      }
      panel.logarithmic = tuned.logarithmic || suits_logarithm(values);
      // A sentence becomes a note.
      panel.y_label = tuned.meaning;
      if (!panel.y_label.empty()) panel.y_label.pop_back();
    }
  }
  return out;
}

}  // namespace nestgrad
