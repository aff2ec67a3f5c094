#pragma once

#include <ATen/core/Tensor.h>

#include <utility>
#include <vector>

namespace nestgrad {

using at::Tensor;

/// sum <- sum + term, where an undefined `sum` is an empty one: it becomes
/// `term` itself, whatever its shape and type.
inline void add_to(Tensor& sum, const Tensor& term) {
  sum = sum.defined() ? sum + term : term;
}

/// ((0 + 1) + (2 + 3)) + ... of one term or more.
template <class T>
T pairwise_sum(std::vector<T> terms) {
  while (terms.size() > 1) {
    std::vector<T> sums;
    for (std::size_t i = 0; i + 1 < terms.size(); i += 2) {
      sums.push_back(terms[i] + terms[i + 1]);
    }
    if (terms.size() % 2 == 1) sums.push_back(terms.back());
    terms = std::move(sums);
  }
  return terms.front();
}

}  // namespace nestgrad
