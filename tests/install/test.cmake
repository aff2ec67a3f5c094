# Installs the build tree BUILD, builds the project SOURCE against it, runs it.
set(folder ${BUILD}/install_test)
file(REMOVE_RECURSE ${folder})
foreach(command
        "${CMAKE_COMMAND};--install;${BUILD};--prefix;${folder}/prefix"
        "${CMAKE_COMMAND};-S;${SOURCE};-B;${folder}/build;-G;Ninja;-DCMAKE_PREFIX_PATH=${folder}/prefix;-DCMAKE_CXX_COMPILER=${COMPILER}"
        "${CMAKE_COMMAND};--build;${folder}/build"
        "${folder}/build/outside"
        "${folder}/prefix/bin/nestgrad;list;estimators")
  execute_process(COMMAND ${command} RESULT_VARIABLE result
                  OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${command}\n${output}")
  endif()
endforeach()
