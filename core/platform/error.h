#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace nestgrad {

/// A mistake of the caller, in words that say what was expected and what was
/// met. Numerical trouble is not an Error but a Status.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// One thing that is wrong with a configuration, and where.
struct Complaint {
  std::string where;  ///< a JSON pointer, e.g. "/estimator/solver/terms"
  std::string what;
};

/// Mistakes in a configuration: all that were found at once.
class ConfigError : public Error {
 public:
  explicit ConfigError(std::vector<Complaint> complaints);
  ConfigError(std::string where, std::string what)
      : ConfigError({Complaint{std::move(where), std::move(what)}}) {}

  const std::vector<Complaint>& complaints() const& { return complaints_; }

 private:
  std::vector<Complaint> complaints_;
};

/// Asked for something that a problem or a model does not offer.
class Unsupported : public Error {
 public:
  using Error::Error;
};

/// What became of a computation that can go wrong numerically. Numbers going
/// bad is part of the trade, so this is a value, not an exception.
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
