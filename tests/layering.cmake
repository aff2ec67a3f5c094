# Rooms include one way, and autograd has no door but core/tensor/autodiff.
#
# A row per room: what its files may include besides files of the room itself.
# A room may include only rooms of rows above its own, so there is no circle.
cmake_minimum_required(VERSION 3.20)
set(rooms "")
macro(room name)
  set(unknown ${ARGN})
  list(REMOVE_ITEM unknown ${rooms})
  if(unknown)
    message(FATAL_ERROR "${name} may include ${unknown}, which come later")
  endif()
  list(APPEND rooms ${name})
  set(may_include_${name} ${name} ${ARGN})
endmacro()
set(base core/platform core/tensor core/config core/storage)
room(core/platform)
room(core/tensor core/platform)
room(core/config core/platform)
room(core/storage core/platform core/tensor core/config)
room(core/distributed core/platform)
room(core ${base} core/distributed)
room(core/parallel ${base} core core/distributed)
room(core/nn/foreign ${base})
room(core/nn ${base} core core/nn/foreign)
room(core/nn/layers ${base} core core/nn)
room(core/nn/layers/augmentation ${base} core core/nn core/nn/layers)
room(core/nn/layers/reversible ${base} core/nn core/nn/layers)
room(core/nn/layers/invertible ${base} core core/nn core/nn/layers)
room(core/nn/exported ${base} core core/nn core/nn/foreign)
room(core/nn/models ${base} core core/nn core/nn/foreign core/nn/layers
     core/nn/exported)
room(optimizers ${base} core)
room(hypergrad/solvers ${base} core)
room(hypergrad ${base} core core/distributed core/parallel)
room(hypergrad/implicit ${base} core hypergrad hypergrad/solvers)
room(hypergrad/unrolled ${base} core hypergrad)
room(hypergrad/evolution ${base} core hypergrad)
room(hypergrad/self_tuning ${base} core hypergrad)
room(experiments/data/arrays ${base} core core/nn)
room(experiments/data/images ${base} core/nn)
room(experiments/data/tables ${base})
room(experiments/data/scaling ${base} core)
room(experiments/data ${base} core core/nn experiments/data/arrays
     experiments/data/images experiments/data/scaling experiments/data/tables)
room(experiments/problems/coresets ${base} core experiments/data
     experiments/data/arrays)
room(experiments/problems ${base} core core/nn experiments/data
     experiments/problems/coresets)
room(experiments/problems/sampled ${base} core core/nn experiments/data)
room(experiments/problems/diffusion ${base} core core/nn experiments/data
     experiments/problems experiments/problems/sampled)
room(experiments/problems/games ${base} core core/nn experiments/data
     experiments/problems experiments/problems/sampled)
room(experiments/problems/disentanglement ${base} core core/nn experiments/data
     experiments/problems experiments/problems/games)
room(experiments/plot ${base})
room(experiments/setup ${base} core core/distributed core/parallel core/nn
     hypergrad)
room(experiments/setup/protocols ${base} core/nn experiments/setup)
room(experiments/record ${base} core hypergrad experiments/data
     experiments/data/arrays experiments/plot experiments/setup)
room(experiments/record/examples ${base} core experiments/data/arrays
     experiments/plot experiments/record)
room(experiments/judge ${base} core core/distributed hypergrad hypergrad/solvers
     hypergrad/implicit hypergrad/unrolled experiments/plot experiments/setup experiments/record)
room(experiments/run ${base} core core/distributed hypergrad experiments/setup
     experiments/record experiments/record/examples experiments/judge
     experiments/plot experiments/problems/coresets)
room(experiments/sweep ${base} core core/distributed experiments/plot experiments/setup
     experiments/record experiments/run)
room(experiments/spectrum ${base} core hypergrad experiments/plot
     experiments/setup)
room(experiments/report ${base} experiments/plot experiments/setup
     experiments/record)
room(experiments/black_box ${base} core experiments/plot experiments/setup
     experiments/record experiments/sweep experiments/report)
room(experiments/attribute ${base} core hypergrad experiments/data/arrays
     experiments/problems experiments/setup experiments/record
     experiments/record/examples)
room(experiments/export ${base} core core/nn/models experiments/record
     experiments/sweep)
room(experiments/predict ${base} core core/nn experiments/data
     experiments/problems experiments/setup experiments/record)
room(experiments/program/scaffold ${base} experiments/report)
room(experiments/program ${base} core/distributed experiments/setup experiments/record)
room(experiments/program/commands ${base} core core/distributed hypergrad
     experiments/setup
     experiments/record experiments/judge experiments/run experiments/sweep
     experiments/spectrum experiments/report experiments/black_box
     experiments/attribute
     experiments/export experiments/predict experiments/program
     experiments/program/scaffold)
room(tests/kit ${base} core core/nn hypergrad hypergrad/solvers
     experiments/data experiments/problems experiments/setup)

set(forbidden "backward\\(" "manual_seed" "torch::rand" "at::randn?\\("
              "\\.grad\\(\\)" "autograd::grad\\(")
# The closed-form problems draw their data as LibTorch itself does.
set(excused_experiments/problems/quadratic.cpp "at::randn?\\(")
# A function with a derivative of its own is not a walk along a tape.
set(excused_core/platform/batched_product.cpp "backward\\(")
set(excused_core/nn/evolved_loss.cpp "backward\\(")
set(excused_core/nn/penalty.cpp "backward\\(")
set(excused_core/nn/layers/reversible/reversible_layer.cpp "backward\\(")
set(excused_core/nn/layers/invertible/undone.cpp "backward\\(")
set(excused_experiments/problems/dynamics.cpp "backward\\(")
set(excused_core/tensor/autodiff.cpp "autograd::grad\\(")

set(faults "")
foreach(top core optimizers hypergrad experiments tests/kit)
  file(GLOB_RECURSE found RELATIVE ${ROOT} ${ROOT}/${top}/*.h
       ${ROOT}/${top}/*.cpp)
  list(APPEND files ${found})
endforeach()
foreach(file ${files})
  get_filename_component(room ${file} DIRECTORY)
  if(NOT room IN_LIST rooms)
    list(APPEND faults "${file}: its folder is no room of this table")
    continue()
  endif()
  file(STRINGS ${ROOT}/${file} includes REGEX "^#include \"")
  foreach(line ${includes})
    string(REGEX REPLACE "^#include \"(.*)\".*" "\\1" included "${line}")
    get_filename_component(from "${included}" DIRECTORY)
    # Files of the kit, whose folder has another name once it is installed,
    # include each other without it.
    if(from AND NOT from IN_LIST may_include_${room})
      list(APPEND faults "${file}: ${line}")
    endif()
  endforeach()
  file(STRINGS ${ROOT}/${file} lines REGEX "[a-z]")
  foreach(pattern ${forbidden})
    if("${excused_${file}}" STREQUAL "${pattern}")
      continue()
    endif()
    foreach(line ${lines})
      if(line MATCHES "${pattern}" AND NOT line MATCHES "^ *//")
        list(APPEND faults "${file}: ${line}")
      endif()
    endforeach()
  endforeach()
endforeach()
if(faults)
  list(JOIN faults "\n  " text)
  message(FATAL_ERROR "not allowed here:\n  ${text}")
endif()
