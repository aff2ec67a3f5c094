#include "experiments/attribute/target.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/platform/error.h"
#include "core/platform/files.h"

namespace nestgrad {
namespace {

constexpr const char* kMean = "mean:";

/// The whole number that a text is. Throws Error if it is none.
std::int64_t number(const std::string& text, const std::string& word) {
  const bool digits = !text.empty() && text.size() < 16 &&
                      text.find_first_not_of("0123456789") == std::string::npos;
  require(digits,
          "'{}' does not name targets: valid, test:3, test:0-9,12 and "
          "test:mean:0-9 do, or a file with one of these per line",
          word);
  return std::stoll(text);
}

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> out(1);
  for (const char c : text) {
    if (c == at) {
      out.emplace_back();
    } else {
      out.back() += c;
    }
  }
  return out;
}

/// "0-9,12" as numbers below `count`.
std::vector<std::int64_t> rows_of(const std::string& text,
                                  const std::string& word,
                                  const std::string& part, std::int64_t count) {
  std::vector<std::int64_t> out;
  for (const std::string& piece : split(text, ',')) {
    const std::size_t dash = piece.find('-');
    const std::int64_t first = number(piece.substr(0, dash), word);
    const std::int64_t last = dash == std::string::npos
                                  ? first
                                  : number(piece.substr(dash + 1), word);
    require(first <= last && last < count,
            "'{}': there are {} '{}' examples, from 0 to {}", word, count, part,
            count - 1);
    for (std::int64_t row = first; row <= last; ++row) out.push_back(row);
  }
  return out;
}

void read_word(const std::string& word, const BilevelProblem& problem,
               std::vector<AttributionTarget>& to) {
  const std::size_t colon = word.find(':');
  const std::string part = word.substr(0, colon);
  require(part == "train" || part == "valid" || part == "test",
          "'{}' is neither a file nor does it begin with train, valid or test",
          word);
  const std::int64_t count = problem.example_count(part);
  require(count > 0, "'{}': there are no '{}' examples", word, part);
  if (colon == std::string::npos) {
    to.push_back({part, part});
    return;
  }
  const std::string rest = word.substr(colon + 1);
  if (rest.rfind(kMean, 0) == 0) {
    to.push_back(
        {word, part,
         rows_of(rest.substr(std::string(kMean).size()), word, part, count)});
    return;
  }
  for (const std::int64_t row : rows_of(rest, word, part, count)) {
    to.push_back({fmt::format("{}:{}", part, row), part, {row}});
  }
}

}  // namespace

EndFunction AttributionTarget::function(const BilevelProblem& problem) const {
  const Tensor rows =
      this->rows.empty() ? Tensor() : at::tensor(this->rows, at::kLong);
  return [&problem, part = part, rows](const ParameterSet& weights,
                                       const ParameterSet& hyper) {
    return problem.example_losses(part, rows, weights, hyper).mean();
  };
}

std::vector<AttributionTarget> read_targets(
    const std::vector<std::string>& words, const BilevelProblem& problem) {
  std::vector<AttributionTarget> out;
  for (const std::string& word : words) {
    if (!file_exists(word)) {
      read_word(word, problem, out);
      continue;
    }
    for (const std::string& line : split(read_file(word), '\n')) {
      const std::size_t first = line.find_first_not_of(" \t\r");
      if (first == std::string::npos) continue;
      const std::size_t last = line.find_last_not_of(" \t\r");
      read_word(line.substr(first, last - first + 1), problem, out);
    }
  }
  require(!out.empty(), "there are no targets");
  return out;
}

}  // namespace nestgrad
