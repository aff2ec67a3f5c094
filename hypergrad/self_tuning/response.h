#pragma once

#include <cstdint>
#include <optional>

#include "core/config/registry.h"
#include "core/row_response.h"
#include "core/tensor/key.h"

namespace nestgrad {

/// How weights answer a displacement u of the hyperparameters, the best
/// response that self-tuning networks learn:
///
///   w(u) = w + shift(u),   shift linear in u
///
/// Stateless; the numbers of the map are arguments.
class Response {
 public:
  static constexpr const char* kKind = "responses";

  virtual ~Response() = default;

  /// The first numbers of a map for `hypers` hyperparameters, with which
  /// shift() is zero. `spare`: initial weights that training could start from
  /// as well.
  virtual ParameterSet initial(const ParameterSet& spare, std::int64_t hypers,
                               const Key& key) const = 0;

  /// The shift for one displacement [hypers], alike to `weights`. On the tapes
  /// of `map` and `u`.
  virtual ParameterSet shift(const ParameterSet& map,
                             const ParameterSet& weights,
                             const Tensor& u) const = 0;

  /// The same for many displacements [examples, hypers] at once, if the
  /// response moves weights row by row; whether it does must not depend on the
  /// map.
  virtual std::optional<RowResponse> rows(const ParameterSet& map,
                                          const Tensor& u) const {
    (void)map, (void)u;
    return std::nullopt;
  }
};

using ResponseRegistry = Registry<Response>;

}  // namespace nestgrad
