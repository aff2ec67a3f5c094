#pragma once

#include <cstddef>

#include "core/platform/error.h"
#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// A set alike to `like` that holds the tensors of `all` from number `first`
/// on: one of several sets that `all` was put together from. Throws Error if
/// `all` ends too early.
inline ParameterSet part(const ParameterSet& all, std::size_t first,
                         const ParameterSet& like) {
  require(first + like.size() <= all.size(),
          "tensors {} to {} were asked for, there are {}", first,
          first + like.size(), all.size());
  const auto begin = all.tensors().begin() + static_cast<std::ptrdiff_t>(first);
  return like.with({begin, begin + static_cast<std::ptrdiff_t>(like.size())});
}

/// The `count` tensors of `all` from number `first` on, under their names.
inline ParameterSet part(const ParameterSet& all, std::size_t first,
                         std::size_t count) {
  ParameterSet out;
  for (std::size_t i = first; i < first + count; ++i) {
    out.insert(all.name(i), all.tensors()[i]);
  }
  return out;
}

}  // namespace nestgrad
