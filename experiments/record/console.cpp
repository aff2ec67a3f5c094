#include "experiments/record/console.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "experiments/record/recorder.h"

namespace nestgrad {
namespace {

/// Shortest interval between rewrites of a terminal line, in seconds.
constexpr double kInterval = 0.1;

/// Largest number of hyperparameters in a line.
constexpr std::size_t kShown = 3;

/// `budget`: the seconds after which tuning ends.
std::string line_of(const OuterStep& step, double budget) {
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
  const double left =
      std::clamp(budget - step.seconds, 0.0,
                 step.seconds / static_cast<double>(step.step) *
                     static_cast<double>(step.steps - step.step));
  line += fmt::format("  {}", duration(step.seconds));
  if (step.step < step.steps) line += fmt::format(", {} to go", duration(left));
  return line;
}

Json event_of(const OuterStep& step) {
  return {{"step", step.step},
          {"steps", step.steps},
          {"seconds", step.seconds},
          {"outer_loss", step.objective},
          {"gradient_norm", step.gradient_norm},
          {"status", to_string(step.status)}};
}

}  // namespace

std::string duration(double seconds) {
  if (seconds < 59.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

void Console::close_line() {
  if (line_is_open_) std::fputc('\n', stdout);
  line_is_open_ = false;
}

void Console::say(const std::string& line) {
  if (!talks()) return;
  close_line();
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

void Console::detail(const std::string& line) {
  if (verbose()) say(line);
}

void Console::warn(const std::string& line) {
  close_line();
  std::fflush(stdout);
  fmt::print(stderr, "nestgrad: {}\n", line);
  event("warning", {{"text", line}});
}

void Console::rewrite(const std::string& line) {
  if (!talks()) return;
  fmt::print("\r\033[K{}", line);
  std::fflush(stdout);
  line_is_open_ = true;
}

void Console::event(const char* name, const Json& fields) {
  if (!json_) return;
  Json out = {{"event", name}};
  out.update(fields);
  fmt::print("{}\n", out.dump());
  std::fflush(stdout);
}

Observer::Verdict Progress::on_step(const OuterStep& step) {
  const bool last = step.step == step.steps;
  const bool due = last || step.seconds - last_shown_ >= kInterval;
  if (console_.json()) {
    if (due) console_.event("step", event_of(step));
  } else if (console_.verbose()) {
    console_.say(line_of(step, budget_));
  } else if (terminal_) {
    if (due) console_.rewrite(line_of(step, budget_));
  } else if (step.step % every_ == 0 || last) {
    console_.say(line_of(step, budget_));
  }
  if (due) last_shown_ = step.seconds;
  return Verdict::kContinue;
}

}  // namespace nestgrad
