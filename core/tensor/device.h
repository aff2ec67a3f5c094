#pragma once

#include <ATen/ATen.h>

#include <string>

namespace nestgrad {

/// The device of this name: "cpu", "cuda", "cuda:1" or whatever else LibTorch
/// or a plugin has made available, e.g. "xpu" and "privateuseone". Without an
/// index it is the first. Throws Error if it is not here, and says which are.
at::Device device_named(const std::string& name);

}  // namespace nestgrad
