# Installs the documents, what they link to and the sources that they name as
# examples, each in the folder that it has here, so that relative links work.
# `cmake --install` includes this with `root`, this tree, and `documents`, where
# they go.
file(GLOB files ${root}/README.md ${root}/LICENSE ${root}/docs/*.md
     ${root}/docs/pictures/*.png ${root}/experiments/report/uPlot*LICENSE*)
foreach(page ${files})
  if(NOT page MATCHES "[.]md$")
    continue()
  endif()
  file(READ ${page} text)
  string(REGEX MATCHALL
         "(core|optimizers|hypergrad|experiments|tests)/[A-Za-z0-9_/]+[.][a-z]+"
         names "${text}")
  foreach(name ${names})
    if(EXISTS ${root}/${name})
      list(APPEND files ${root}/${name})
    endif()
  endforeach()
endforeach()
list(REMOVE_DUPLICATES files)
foreach(file ${files})
  file(RELATIVE_PATH name ${root} ${file})
  get_filename_component(folder ${name} DIRECTORY)
  file(INSTALL DESTINATION ${documents}/${folder} TYPE FILE FILES ${file})
endforeach()
