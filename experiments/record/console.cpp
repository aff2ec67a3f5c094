#include "experiments/record/console.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "core/platform/text.h"
#include "experiments/record/recorder.h"

namespace nestgrad {
namespace {

/// Shortest interval between rewrites of a terminal line, in seconds.
constexpr double kInterval = 0.1;

/// The width of a line that is not on a terminal.
constexpr std::size_t kAnyWidth = std::numeric_limits<std::size_t>::max();

/// Largest number of hyperparameters in a line.
constexpr std::size_t kShown = 3;

/// At most `width` characters about a step. Hyperparameters are left out first.
/// `budget`: the seconds after which tuning ends.
std::string line_of(const OuterStep& step, const NumberNames& names,
                    double budget, std::size_t width) {
  std::string line = fmt::format("step {}/{}  validation loss {:.4g}",
                                 step.step, step.steps, step.objective);
  std::string end;
  if (step.status != Status::kOk) {
    end += fmt::format("  ({})", to_string(step.status));
  }
  const double left =
      std::clamp(budget - step.seconds, 0.0,
                 step.seconds / static_cast<double>(step.step) *
                     static_cast<double>(step.steps - step.step));
  end += fmt::format("  {}", duration(step.seconds));
  if (!step.last) end += fmt::format(", {} to go", duration(left));
  std::size_t shown = 0;
  for (const auto& [name, value] : summary_of(*step.natural, names)) {
    const std::string longer = line + fmt::format("  {} {:.3g}", name, value);
    if (shown++ == kShown || character_count(longer + end) > width) break;
    line = longer;
  }
  return first_characters(line + end, width);
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

std::size_t line_width() {
  winsize size = {};
  const bool known =
      ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
  return known ? size.ws_col - std::size_t{1} : 79;
}

void Console::close_line() {
  if (open_ > 0) std::fputc('\n', stdout);
  open_ = 0;
}

void Console::print(const std::string& line) {
  close_line();
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

void Console::say(const std::string& line) {
  if (talks()) print(line);
}

void Console::detail(const std::string& line) {
  if (verbose()) print(line);
}

void Console::conclude(const std::string& line) {
  if (verbosity_ > Verbosity::kSilent) print(line);
}

void Console::warn(const std::string& line) {
  close_line();
  std::fflush(stdout);
  fmt::print(stderr, "nestgrad: {}\n", line);
  event("warning", {{"text", line}});
}

void Console::rewrite(const std::string& line) {
  if (!talks()) return;
  // Blanks cover the rest of the line before.
  const std::size_t length = character_count(line);
  const std::size_t before = std::min(open_, line_width());
  fmt::print("\r{}{}", line,
             std::string(before > length ? before - length : 0, ' '));
  std::fflush(stdout);
  open_ = length;
}

void Console::event(const char* name, const Json& fields) {
  if (!json_) return;
  Json out = {{"event", name}};
  out.update(fields);
  fmt::print("{}\n", to_line(out));
  std::fflush(stdout);
}

Observer::Verdict Progress::on_step(const OuterStep& step) {
  const auto line = [&](std::size_t width) {
    return line_of(step, number_names_, budget_, width);
  };
  const bool due = step.last || step.seconds - last_shown_ >= kInterval;
  if (console_.json()) {
    if (due) console_.event("step", event_of(step));
  } else if (console_.verbose()) {
    console_.say(line(kAnyWidth));
  } else if (terminal_) {
    if (due) console_.rewrite(line(line_width()));
  } else if (step.step % every_ == 0 || step.last) {
    console_.say(line(kAnyWidth));
  }
  if (due) last_shown_ = step.seconds;
  return Verdict::kContinue;
}

}  // namespace nestgrad
