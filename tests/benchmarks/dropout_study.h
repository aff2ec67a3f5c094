#pragma once

#include <string>

namespace nestgrad {

/// What self-tuning networks make of dropout rates, by the experiment in
/// `config`: a table of the final losses of "stn", of "delta_stn" and of plain
/// training under fixed rates, over three seeds and at the same number of
/// training steps; and, as a PNG file, the rates that "stn" goes through from
/// five starts.
void study_dropout(const std::string& config, const std::string& picture);

}  // namespace nestgrad
