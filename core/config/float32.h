#pragma once

#include <string>
#include <vector>

#include "core/config/schema.h"

namespace nestgrad {

/// Complains about numbers of a completed object that are used in float32 and
/// are something else there: those that become infinite, and those that become
/// 0 where the schema wants a number above 0 or where they are a setting of a
/// training rule or a layer.
void refuse_beyond_float32(const Schema& schema, const Json& json,
                           const std::string& pointer,
                           std::vector<Complaint>& complaints);

}  // namespace nestgrad
