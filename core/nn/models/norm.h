#pragma once

#include "core/config/config.h"
#include "core/config/schema.h"

namespace nestgrad {

/// Appends the keys that norm_layers() reads: "norm", with this default, and
/// "groups".
Schema with_norm_keys(Schema schema, const char* norm);

/// The list of the layer that normalizes images of this many channels; empty if
/// "norm" is "none". Throws ConfigError if "groups" does not divide the
/// channels.
Json norm_layers(const Config& config, std::int64_t channels);

}  // namespace nestgrad
