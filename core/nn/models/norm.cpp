#include "core/nn/models/norm.h"

#include <fmt/format.h>

namespace nestgrad {

Schema with_norm_keys(Schema schema, const char* norm) {
  return schema
      .choice("norm", norm, "What normalizes after each convolution.",
              {"none", "batch", "group", "instance"})
      .integer("groups", 8,
               "The number of groups of channels in norm \"group\".",
               at_least(1));
}

Json norm_layers(const Config& config, std::int64_t channels) {
  const std::string norm = config.text("norm");
  if (norm == "none") return Json::array();
  Json layer{{"type", norm + "_norm"}};
  if (norm == "group") {
    const std::int64_t groups = config.integer("groups");
    if (channels % groups != 0) {
      config.fail("groups",
                  fmt::format("must divide the channels of every block, but "
                              "is {} where there are {} channels",
                              groups, channels));
    }
    layer["groups"] = groups;
  }
  return Json::array({layer});
}

}  // namespace nestgrad
