# nestgrad_add_plugin(NAME SOURCE...)
#
# Builds a shared library, lib<NAME>.so, for the program's option --plugin. An
# added source records what it was built against; the program checks this.
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
