#include "core/nn/models/dense.h"

namespace nestgrad {
namespace {

class Logistic : public Sequential {
 public:
  static Schema schema() {
    return Schema(
        "Logistic regression: one linear layer on the flattened input.");
  }

  Logistic(const Config& config, const Shape& input, const Shape& outputs)
      : Sequential(Chain(input)
                       .add(Json{{"type", "flatten"}})
                       .add(Json{{"type", "linear"},
                                 {"out", classes_of(config, outputs)}})) {}
};

NESTGRAD_REGISTER(ModelRegistry, "logistic", Logistic)

}  // namespace
}  // namespace nestgrad
