#pragma once

#include <string>

#include "core/config/json_file.h"
#include "core/observer.h"
#include "experiments/record/tuned_hyper.h"

namespace nestgrad {

/// How much a run prints.
enum class Verbosity {
  kSilent,  ///< only warnings and errors
  kQuiet,   ///< also where the results are
  kNormal,  ///< the start, a progress line, the results
  kVerbose  ///< also every outer step and every file that is written
};

/// How much a run prints, and in which form.
struct Talk {
  Verbosity verbosity = Verbosity::kNormal;
  bool json = false;  ///< JSON events for a program instead of sentences
};

/// Prints to standard output: sentences for a user or, one JSON object per
/// line, events for another program. Warnings also go to standard error.
class Console {
 public:
  explicit Console(Talk talk)
      : verbosity_(talk.json ? Verbosity::kSilent : talk.verbosity),
        json_(talk.json) {}
  ~Console() { close_line(); }
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  bool talks() const { return verbosity_ >= Verbosity::kNormal; }
  bool verbose() const { return verbosity_ == Verbosity::kVerbose; }
  bool json() const { return json_; }

  void say(const std::string& line);       ///< unless quiet
  void detail(const std::string& line);    ///< if verbose
  void conclude(const std::string& line);  ///< unless silent
  void warn(const std::string& line);

  /// Writes a line on a terminal that the next call replaces. `line` is shorter
  /// than the terminal is wide. No control sequences but the carriage return
  /// are used, so any terminal will do.
  void rewrite(const std::string& line);

  /// Prints {"event": name, ...fields}.
  void event(const char* name, const Json& fields);

 private:
  void close_line();

  void print(const std::string& line);

  Verbosity verbosity_;
  bool json_;
  std::size_t open_ = 0;  // characters of the line that may be replaced
};

/// How many characters fit into a line of the terminal at standard output, one
/// less than its columns, so that the cursor stays in the line. 79 if the
/// terminal does not say.
std::size_t line_width();

/// Reports progress: on a terminal, one line that is rewritten; elsewhere, a
/// line every `every` steps; events at most ten times per second.
class Progress : public Observer {
 public:
  /// `names`: of the numbers of hyperparameters. `budget`: the seconds after
  /// which tuning ends; may be infinity.
  Progress(Console& console, std::int64_t every, NumberNames names,
           bool terminal, double budget)
      : console_(console),
        every_(every),
        number_names_(std::move(names)),
        terminal_(terminal),
        budget_(budget) {}

  Verdict on_step(const OuterStep& step) override;

 private:
  Console& console_;
  std::int64_t every_;
  NumberNames number_names_;
  bool terminal_;
  double budget_;
  double last_shown_ = -1;  // seconds
};

/// "8.2 s", "3 min 20 s", "2 h 5 min".
std::string duration(double seconds);

}  // namespace nestgrad
