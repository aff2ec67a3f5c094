#pragma once

#include <cstdint>
#include <string>

#include "core/observer.h"

namespace nestgrad {

/// Tells a person how a run goes: one line that is rewritten on a terminal, a
/// plain line every so many steps elsewhere.
class Progress : public Observer {
 public:
  Progress(std::int64_t every, bool terminal)
      : every_(every), terminal_(terminal) {}
  ~Progress() override;

  Verdict on_step(const OuterStep& step) override;

 private:
  std::int64_t every_;
  bool terminal_;
  double last_shown_ = -1;  // seconds
  bool line_is_open_ = false;
};

/// Ends a run when a signal has been noted.
class SignalStop : public Observer {
 public:
  Verdict on_step(const OuterStep& step) override;
};

/// "8.2 s", "3 min 20 s", "2 h 5 min".
std::string duration(double seconds);

}  // namespace nestgrad
