#include "core/models/dense.h"

namespace nestgrad {

Schema with_dense_keys(Schema schema, Json hidden) {
  return schema
      .integers("hidden", std::move(hidden),
                "Sizes of the hidden linear layers; [] for none.", at_least(1))
      .choice("activation", "relu", "The function after every hidden layer.",
              {"relu", "tanh", "gelu", "sigmoid", "softplus"})
      .number("dropout", 0,
              "Probability that a number after a hidden linear layer is set to "
              "zero in training.",
              from_below(0, 1));
}

void add_activation(LayerStack& stack, const Config& config) {
  stack.add(Json{{"type", config.text("activation")}});
}

void add_dropout(LayerStack& stack, const Config& config) {
  const double rate = config.number("dropout");
  if (rate > 0) stack.add(Json{{"type", "dropout"}, {"rate", rate}});
}

void add_dense(LayerStack& stack, const Config& config, std::int64_t outputs) {
  stack.add(Json{{"type", "flatten"}});
  for (const std::int64_t size : config.integers("hidden")) {
    stack.add(Json{{"type", "linear"}, {"out", size}});
    add_activation(stack, config);
    add_dropout(stack, config);
  }
  stack.add(Json{{"type", "linear"}, {"out", outputs}});
}

}  // namespace nestgrad
