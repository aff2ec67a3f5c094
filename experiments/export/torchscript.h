#pragma once

#include <string>

namespace nestgrad {

/// Writes the network of a run whose model is a TorchScript file to another
/// TorchScript file, with the weights at the end of tuning. Throws Error if the
/// run has another model or if its TorchScript file no longer exists.
void export_torchscript(const std::string& run, const std::string& to);

}  // namespace nestgrad
