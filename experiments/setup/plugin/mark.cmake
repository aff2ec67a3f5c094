# Writes the header that identifies what plugins are built against:
#   cmake -DTO=plugin_mark.h -DVERSION=0.1.0 -DROOT=. -P mark.cmake
# Two builds agree if their public headers are equal.
cmake_minimum_required(VERSION 3.20)
include(${CMAKE_CURRENT_LIST_DIR}/public_headers.cmake)
add_included_headers(public_headers ${ROOT})
set(all "")
foreach(header ${public_headers})
  file(SHA256 ${ROOT}/${header} hash)
  string(APPEND all "${header} ${hash}\n")
endforeach()
string(SHA256 interface "${all}")
string(SUBSTRING ${interface} 0 8 interface)
file(WRITE ${TO} "#pragma once

#include <torch/version.h>

#define NESTGRAD_PLUGIN_FIRST_WORDS \"nestgrad plugin for \"

/// The version, its public headers and LibTorch.
#define NESTGRAD_PLUGIN_MARK \\
  \"${VERSION} (interface ${interface}, LibTorch \" TORCH_VERSION \")\"
")
