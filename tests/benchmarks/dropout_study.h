#pragma once

#include <string>

namespace nestgrad {

// What self-tuning networks make of dropout rates, by the experiment in
// `config`.

/// A table of the final losses of "stn", of "delta_stn" and of plain training
/// under fixed rates, over three seeds and at the same number of training
/// steps.
void study_dropout(const std::string& config);

/// As a PNG file, one rate for all places that "delta_stn" tunes from five
/// starts.
void draw_dropout_starts(const std::string& config, const std::string& picture);

}  // namespace nestgrad
