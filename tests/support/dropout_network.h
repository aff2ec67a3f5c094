#pragma once

#include "core/config/json_file.h"

namespace nestgrad {

/// A small network with dropout, trained on minibatches.
inline Json dropout_network() {
  return {{"type", "classification"},
          {"data",
           {{"type", "gaussian_clusters"},
            {"train", 40},
            {"valid", 20},
            {"test", 20}}},
          {"model",
           {{"type", "sequential"},
            {"layers",
             {{{"type", "linear"}, {"out", 8}},
              "tanh",
              {{"type", "dropout"}, {"rate", 0.2}},
              {{"type", "linear"}, {"out", 3}}}}}},
          {"batch", 8}};
}

}  // namespace nestgrad
