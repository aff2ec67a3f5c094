#pragma once

#include <dlfcn.h>

namespace nestgrad {

/// The function with this C name in any library of the process; nullptr if no
/// library has it.
template <class Function>
Function* symbol(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
}

}  // namespace nestgrad
