#pragma once

#include <dlfcn.h>

namespace nestgrad {

/// The function of that C name in whatever library of this process has it,
/// nullptr if none has.
template <class Function>
Function* symbol(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
}

}  // namespace nestgrad
