#include "core/nn/layer.h"

namespace nestgrad {

ParameterSet Layer::initial_weights(const Key&) const { return {}; }

}  // namespace nestgrad
