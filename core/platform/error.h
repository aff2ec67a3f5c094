#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace nestgrad {

/// A mistake of the caller. The message says what was expected and what was
/// met. Numerical trouble is not an Error but a Status.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// One mistake in a configuration, and its place.
struct Complaint {
  std::string where;  ///< a JSON pointer, e.g. "/estimator/solver/terms"
  std::string what;
};

/// All mistakes that were found in a configuration.
class ConfigError : public Error {
 public:
  explicit ConfigError(std::vector<Complaint> complaints);
  ConfigError(std::string where, std::string what)
      : ConfigError({Complaint{std::move(where), std::move(what)}}) {}

  const std::vector<Complaint>& complaints() const& { return complaints_; }

 private:
  std::vector<Complaint> complaints_;
};

/// The problem or model does not offer what was asked for.
class Unsupported : public Error {
 public:
  using Error::Error;
};

/// The outcome of a computation that can fail numerically. A value, not an
/// exception, because failures are to be expected.
enum class Status {
  kOk,
  kNotConverged,  ///< usable; an inner solver stopped at its limit
  kDiverged       ///< not usable; something became infinite or NaN
};

/// "ok", "not_converged" or "diverged", as records spell it.
const char* to_string(Status status);

/// Throws Error unless `ok`.
template <class... Args>
void require(bool ok, fmt::format_string<Args...> message, Args&&... args) {
  if (!ok) throw Error(fmt::format(message, std::forward<Args>(args)...));
}

}  // namespace nestgrad
