#include "core/platform/error.h"

namespace nestgrad {
namespace {

std::string joined(const std::vector<Complaint>& complaints) {
  std::string text;
  for (const auto& [where, what] : complaints) {
    if (!text.empty()) text += "\n";
    text += where.empty() ? what : where + ": " + what;
  }
  return text;
}

}  // namespace

ConfigError::ConfigError(std::vector<Complaint> complaints)
    : Error(joined(complaints)), complaints_(std::move(complaints)) {}

const char* to_string(Status status) {
  switch (status) {
    case Status::kOk:
      return "ok";
    case Status::kNotConverged:
      return "not_converged";
    case Status::kDiverged:
      return "diverged";
  }
  return "unknown";
}

}  // namespace nestgrad
