#include "core/model.h"

namespace nestgrad {
namespace {

class Logistic : public Sequential {
 public:
  static Schema schema() {
    return Schema(
        "Logistic regression: one linear layer on the flattened input.");
  }

  Logistic(const Config&, const Shape& input, std::int64_t outputs)
      : Sequential(LayerStack(input)
                       .add(Json{{"type", "flatten"}})
                       .add(Json{{"type", "linear"}, {"out", outputs}})
                       .take()) {}
};

NESTGRAD_REGISTER(ModelRegistry, "logistic", Logistic)

}  // namespace
}  // namespace nestgrad
