# Stands in for the CUDA toolkit. The package of a LibTorch with CUDA asks for
# its compiler and libraries unless these targets are there. What is built here
# calls LibTorch alone, whose libraries find those of CUDA themselves. A project
# that compiles for CUDA calls find_package(Torch) first.
foreach(name cudart nvtoolsext nvtx3)
  if(NOT TARGET torch::${name})
    add_library(torch::${name} INTERFACE IMPORTED)
  endif()
endforeach()
