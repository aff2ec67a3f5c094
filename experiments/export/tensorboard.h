#pragma once

#include <string>

namespace nestgrad {

/// The numbers of metrics.jsonl of the run in `folder` as an event file of
/// TensorBoard: scalars over outer steps, at the times when they were known.
/// Numbers become float32 there.
///
/// The file is a sequence of records (length, checksum, bytes, checksum; the
/// checksums CRC-32C, masked), each an `Event` of TensorFlow's protocol
/// buffers.
std::string tensorboard_events(const std::string& folder);

}  // namespace nestgrad
