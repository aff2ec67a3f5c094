#include "core/nn/models/network_file.h"

#include <ATen/ATen.h>

#include "core/config/schema.h"
#include "core/nn/layers/shapes.h"
#include "core/platform/error.h"

namespace nestgrad {

Schema network_file_schema(const char* meaning, const char* file) {
  return Schema(meaning)
      .text("file", kRequired, file)
      .choice("start", "file",
              "The first weights: those of the file, or the same numbers in a "
              "random order within each tensor, which makes networks that "
              "differ.",
              {"file", "shuffled"});
}

ParameterSet start_from_file(bool shuffled, const ParameterSet& own,
                             const Key& key) {
  const ParameterSet start = own.to(at::TensorOptions().device(at::kCPU));
  if (!shuffled) return start.clone();
  std::uint64_t i = 0;
  return start.map([&](const Tensor& t) {
    return t.reshape(-1)
        .index_select(0, key.fold(i++).permutation(t.numel()))
        .view(t.sizes());
  });
}

void require_outputs(const Tensor& out, std::int64_t examples,
                     const Shape& wanted, const char* what) {
  require(
      out.dim() > 0 && out.size(0) == examples,
      "{} gives the shape {} for {} examples; the first axis has to be that "
      "of the examples",
      what, to_string(out.sizes().vec()), examples);
  const Shape got = out.sizes().slice(1).vec();
  require(got == wanted, "{} gives {} for each example, but {} is wanted", what,
          to_string(got), to_string(wanted));
}

}  // namespace nestgrad
