# nestgrad_add_plugin(NAME SOURCE...)
#
# A shared library, lib<NAME>.so, that the program loads with --plugin. One more
# source says what it was built against, since the program refuses others.
function(nestgrad_add_plugin name)
  set(mark ${CMAKE_CURRENT_BINARY_DIR}/${name}_mark.cpp)
  file(CONFIGURE OUTPUT ${mark} CONTENT [[
#include <nestgrad/experiments/setup/plugin_mark.h>

extern "C" __attribute__((used, visibility("default")))
const char nestgrad_plugin_mark[] =
    NESTGRAD_PLUGIN_FIRST_WORDS NESTGRAD_PLUGIN_MARK;
]])
  add_library(${name} SHARED ${ARGN} ${mark})
  target_link_libraries(${name} PUBLIC nestgrad::nestgrad)
endfunction()
