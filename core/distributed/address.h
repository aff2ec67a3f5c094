#pragma once

#include <string>

#include "core/distributed/place.h"

namespace nestgrad {

/// The address that this rank gives to the others. Gloo would take that of the
/// host's own name, which is often one that no other host reaches. Throws Error
/// if there is none.
std::string own_address(const RankPlace& place);

}  // namespace nestgrad
