#pragma once

#include <string>

namespace nestgrad {

// Dropout rates tuned by self-tuning networks, in the experiment in `config`.

/// Prints a table of the final losses of "stn", "delta_stn" and plain training
/// under fixed rates, over three seeds and with equal numbers of training
/// steps.
void study_dropout(const std::string& config);

/// Prints the same columns for the fixed start, for "stn" with each origin of
/// its displacements and for "delta_stn", over six seeds, and with how many
/// seeds each of them ends below the fixed start. All this for four lengths of
/// the experiment.
void study_origins(const std::string& config);

/// Draws, as a PNG file, one rate for all places tuned by "delta_stn" from five
/// starts.
void draw_dropout_starts(const std::string& config, const std::string& picture);

}  // namespace nestgrad
