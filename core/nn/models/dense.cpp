#include "core/nn/models/dense.h"

#include <fmt/format.h>

#include "core/nn/layers/shapes.h"

namespace nestgrad {

Schema with_augment_key(Schema schema) {
  return schema.objects("augment", LayerRegistry::instance(), Json::array(),
                        "Layers before all others, which change inputs in "
                        "training: cutout, translation, brightness, noise, "
                        "...");
}

Schema with_activation_key(Schema schema, const char* initial,
                           std::string meaning) {
  return schema.choice("activation", initial, std::move(meaning),
                       {"relu", "tanh", "gelu", "silu", "sigmoid", "softplus"});
}

Schema with_dense_keys(Schema schema, Json hidden) {
  Schema first =
      with_augment_key(std::move(schema))
          .setting(
              "input_dropout", 0,
              "Probability that a number that enters the first linear layer "
              "is set to zero in training.",
              from_below(0, 1))
          .integers("hidden", std::move(hidden),
                    "Sizes of the hidden linear layers; [] for none.",
                    at_least(1));
  return with_activation_key(std::move(first), "relu",
                             "The function after every hidden layer.")
      .setting("dropout", 0,
               "Probability that a number after a hidden linear layer is set "
               "to zero in training. A hyperparameter \"$name\" may have one "
               "number for all of them or (\"per\": \"position\") one for "
               "each.",
               from_below(0, 1));
}

std::int64_t classes_of(const Config& config, const Shape& outputs) {
  if (outputs.size() != 1) {
    config.fail("type",
                fmt::format("{} gives one vector for each example, but {} "
                            "numbers are wanted; take \"sequential\"",
                            config.type(), to_string(outputs)));
  }
  return outputs[0];
}

void add_augmentation(Chain& chain, const Config& config) {
  for (const Config& layer : config.objects("augment")) chain.add(layer);
}

void add_activation(Chain& chain, const Config& config) {
  chain.add(Json{{"type", config.text("activation")}});
}

void Dropouts::add(Chain& chain, const Json& rate) {
  Json layers = Json::array();
  add(layers, rate);
  for (const Json& layer : layers) chain.add(layer);
}

void Dropouts::add(Json& layers, Json rate) {
  if (rate == 0) return;
  if (rate.is_string()) {
    const auto name = rate.get<std::string>();
    if (name.find('.') == std::string::npos) {
      rate = fmt::format("{}.{}", name, met_[name]++);
    }
  }
  layers.push_back(Json{{"type", "dropout"}, {"rate", rate}});
}

void add_dense(Chain& chain, const Config& config, const Shape& outputs,
               Dropouts dropouts) {
  chain.add(Json{{"type", "flatten"}});
  dropouts.add(chain, config.value("input_dropout"));
  for (const std::int64_t size : config.integers("hidden")) {
    chain.add(Json{{"type", "linear"}, {"out", size}});
    add_activation(chain, config);
    dropouts.add(chain, config.value("dropout"));
  }
  chain.add(Json{{"type", "linear"}, {"out", classes_of(config, outputs)}});
}

}  // namespace nestgrad
