#include "experiments/progress.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdio>

#include "experiments/process.h"
#include "experiments/recorder.h"

namespace nestgrad {
namespace {

/// A terminal line is rewritten at most this often, in seconds.
constexpr double kInterval = 0.1;

/// Hyperparameters that one line has room for.
constexpr std::size_t kShown = 3;

std::string line_of(const OuterStep& step) {
  std::string line = fmt::format("step {}/{}  validation loss {:.4g}",
                                 step.step, step.steps, step.objective);
  std::size_t shown = 0;
  for (const auto& [name, value] : summary_of(*step.natural)) {
    if (shown++ == kShown) break;
    line += fmt::format("  {} {:.3g}", name, value);
  }
  if (step.status != Status::kOk) {
    line += fmt::format("  ({})", to_string(step.status));
  }
  const double left = step.seconds / static_cast<double>(step.step) *
                      static_cast<double>(step.steps - step.step);
  line += fmt::format("  {}", duration(step.seconds));
  if (step.step < step.steps) line += fmt::format(", {} to go", duration(left));
  return line;
}

}  // namespace

std::string duration(double seconds) {
  if (seconds < 59.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

Progress::~Progress() {
  if (line_is_open_) std::fputc('\n', stdout);
}

Observer::Verdict Progress::on_step(const OuterStep& step) {
  const bool last = step.step == step.steps;
  if (terminal_) {
    if (!last && step.seconds - last_shown_ < kInterval) {
      return Verdict::kContinue;
    }
    last_shown_ = step.seconds;
    fmt::print("\r\033[K{}", line_of(step));
    line_is_open_ = !last;
    if (last) std::fputc('\n', stdout);
    std::fflush(stdout);
  } else if (step.step % every_ == 0 || last) {
    fmt::print("{}\n", line_of(step));
    std::fflush(stdout);
  }
  return Verdict::kContinue;
}

Observer::Verdict SignalStop::on_step(const OuterStep&) {
  return noted_signal() != 0 ? Verdict::kStop : Verdict::kContinue;
}

}  // namespace nestgrad
