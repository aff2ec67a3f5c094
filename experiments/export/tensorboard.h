#pragma once

#include <string>

namespace nestgrad {

/// The numbers in metrics.jsonl of the run in `folder` as a TensorBoard event
/// file: scalars over outer steps, with their wall times, converted to float32.
///
/// The file is a sequence of records (length, checksum, bytes, checksum; the
/// checksums are masked CRC-32C). Each record is an `Event` of TensorFlow's
/// protocol buffers.
std::string tensorboard_events(const std::string& folder);

}  // namespace nestgrad
