#pragma once

#include <memory>
#include <string>

#include "core/nn/model.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {

inline constexpr std::int64_t kVocabulary = 27;

/// Scripts that Python has written, once for all tests; see write.py.
inline std::string script(const std::string& name) {
  static const TemporaryFolder folder;
  static const bool written = [] {
    const Ended ended =
        shell(folder.path(""),
              fmt::format(
                  "/usr/bin/python3 {}/tests/core/nn/torchscript/write.py . {}",
                  NESTGRAD_SOURCE_DIR, kVocabulary));
    CAPTURE(ended.output);
    REQUIRE(ended.code == 0);
    return true;
  }();
  REQUIRE(written);
  return folder.path(name);
}

inline std::unique_ptr<Model> load(const std::string& name, const Shape& input,
                                   const Shape& outputs,
                                   Json keys = Json::object()) {
  keys["type"] = "torchscript";
  keys["file"] = script(name);
  return ModelRegistry::instance().make(keys, input, outputs);
}

/// An experiment with a script for two classes of points with four features.
inline Json script_config(const std::string& name) {
  return {{"problem",
           {{"type", "classification"},
            {"data",
             {{"type", "gaussian_clusters"},
              {"features", 4},
              {"classes", 2},
              {"train", 50},
              {"valid", 30},
              {"test", 20}}},
            {"model", {{"type", "torchscript"}, {"file", script(name)}}}}},
          {"hyperparameters", {{"weight_decay", Json::object()}}},
          {"outer", {{"steps", 1}}}};
}

}  // namespace nestgrad
