#pragma once

#include <ATen/ATen.h>

#include <string>

namespace nestgrad {

/// The device of this name: "cpu", "cuda", "cuda:1" or whatever else LibTorch
/// or a plugin has made available, e.g. "xpu" and "privateuseone". Without an
/// index it is the first. Throws Error if it is not here or cannot be used, and
/// says which are here.
at::Device device_named(const std::string& name);

/// Has LibTorch take deterministic algorithms from now on where it computes on
/// another device than the CPU, so that a run that is repeated or resumed has
/// the same bits. Where an operator has no such algorithm, it runs all the
/// same, and a warning says so (core/platform/warnings).
///
/// To be called before the first computation on the device.
void prepare_device(const at::Device& device);

}  // namespace nestgrad
