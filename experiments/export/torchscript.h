#pragma once

#include <string>

namespace nestgrad {

/// Writes the network of a run whose model is a TorchScript file as another
/// such file, with the weights that tuning ended with. Throws Error if its
/// model is another one, or if the file that it came from is gone.
void export_torchscript(const std::string& run, const std::string& to);

}  // namespace nestgrad
