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

/// Writes the event file of the run in `folder` into a folder of its own in
/// `to`, which is created if needed: to/NAME for runs/NAME, or to/NAME-2, ...
/// if another run of this name has been written there. Writing a run again
/// replaces its file. Returns the folder of the event file.
std::string write_tensorboard(const std::string& folder, const std::string& to);

}  // namespace nestgrad
