#pragma once

namespace nestgrad {

/// Compares what oneDNN computes on this processor with what LibTorch computes
/// without it: convolutions, forwards and backwards, in float32 and bfloat16,
/// and an LSTM. If they differ, this process does without oneDNN from now on,
/// and a warning says so.
///
/// LibTorch takes oneDNN for these operators on the CPU where it was built with
/// it. Version 3.6, which Debian 13 has, gives wrong gradients of 3x3
/// convolutions on AMD's Zen 5 (seen in November 2026, with PyTorch alone,
/// too).
void leave_wrong_kernels();

}  // namespace nestgrad
