#include "experiments/problems/saved_network.h"

#include <ATen/ATen.h>

#include <vector>

#include "core/platform/error.h"
#include "core/tensor/numbers.h"

namespace nestgrad {

Json SavedNetwork::to_json() const {
  Json out = {{"preparation", preparation.to_json()},
              {"loss", loss.to_json()},
              {"outputs", outputs},
              {"settings", Json::object()}};
  for (std::size_t i = 0; i < settings.size(); ++i) {
    const Tensor& t = settings.tensors()[i];
    out["settings"][settings.name(i)] = {{"shape", t.sizes().vec()},
                                         {"numbers", to_numbers(t)}};
  }
  return out;
}

SavedNetwork SavedNetwork::from_json(const Json& json) {
  SavedNetwork out;
  try {
    out.preparation = Preparation::from_json(json.at("preparation"));
    out.loss = Loss::from_json(json.at("loss"));
    out.outputs = json.at("outputs").get<Shape>();
    for (const auto& [name, setting] : json.at("settings").items()) {
      const Tensor numbers = at::tensor(
          setting.at("numbers").get<std::vector<double>>(), at::kDouble);
      const auto shape = setting.at("shape").get<Shape>();
      for (const std::int64_t size : shape) {
        require(size >= 0 && size <= numbers.numel(),
                "\"{}\" has an impossible shape", name);
      }
      require(c10::multiply_integers(shape) == numbers.numel(),
              "\"{}\" has {} numbers, which do not fill its shape", name,
              numbers.numel());
      out.settings.insert(name, numbers.view(shape));
    }
  } catch (const Json::exception& error) {
    throw Error(fmt::format("this is no saved network: {}", error.what()));
  }
  return out;
}

}  // namespace nestgrad
