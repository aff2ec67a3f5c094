#include "experiments/data/part_files.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <utility>

#include "core/platform/error.h"

namespace nestgrad {
namespace {

constexpr const char* kValid = "valid_file";
constexpr const char* kTest = "test_file";

/// Refuses numbers of one file that are no continuation of those of another.
void require_alike(const std::string& what, const Tensor& a,
                   const std::string& file_of_a, const Tensor& b,
                   const std::string& file_of_b) {
  const auto described = [](const Tensor& t) {
    return fmt::format("({}) of {}", fmt::join(t.sizes().slice(1), ", "),
                       c10::toString(t.scalar_type()));
  };
  require(a.sizes().slice(1) == b.sizes().slice(1) &&
              a.scalar_type() == b.scalar_type(),
          "'{}': expected {} as in '{}', {}, found {}", file_of_b, what,
          file_of_a, described(a), described(b));
}

}  // namespace

Schema with_part_files(Schema schema) {
  return schema
      .text(kValid, kAbsent,
            "File of the validation set. Left out: a part of \"file\".")
      .text(kTest, kAbsent,
            "File of the test set. Left out: a part of "
            "\"file\".");
}

PartFiles read_part_files(const Config& config) {
  PartFiles out;
  if (config.has(kValid)) out.valid = config.path(kValid);
  if (config.has(kTest)) out.test = config.path(kTest);
  return out;
}

Examples read_parts(const std::string& training, const PartFiles& others,
                    const std::function<Dataset(const std::string&)>& read) {
  Examples out;
  out.training = read(training);
  for (const auto& [part, file] : {std::pair(&out.valid, &others.valid),
                                   std::pair(&out.test, &others.test)}) {
    if (file->empty()) continue;
    *part = read(*file);
    require_alike("inputs", out.training.inputs, training, part->inputs, *file);
    require_alike("targets", out.training.targets, training, part->targets,
                  *file);
  }
  return out;
}

}  // namespace nestgrad
