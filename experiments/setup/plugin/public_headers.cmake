# The public headers: they are installed, plugins may include them, and the
# plugin mark is computed from them. Includes of the headers below are added.
set(public_headers
    # what a problem, a layer, a model or a training rule is
    core/problem.h core/optimizer.h core/setting.h core/hyper_space.h
    core/nn/batch.h core/nn/bfloat16.h core/nn/model.h core/nn/module_model.h
    core/nn/operators.h core/nn/penalty.h core/nn/weight_forms.h
    core/nn/layers/layer_setting.h core/nn/layers/shapes.h
    # what an estimator calls
    core/training_loop.h core/inner_run.h core/flattened.h core/particles.h
    core/tensor/autodiff.h core/tensor/sum.h
    # what an estimator or a solver derives from
    hypergrad/estimator.h hypergrad/single_run.h hypergrad/outer_loop.h
    hypergrad/adjoint.h hypergrad/attribution.h hypergrad/evolution/evolution.h
    hypergrad/implicit/implicit_system.h hypergrad/solvers/inverse_hessian.h
    hypergrad/unrolled/window_estimator.h
    # data, problems to test methods on, the plugins themselves
    experiments/data/data.h experiments/problems/coresets/coreset.h
    experiments/problems/dynamics.h experiments/problems/network_problem.h
    experiments/problems/quadratic.h experiments/setup/plugin.h)

# Extends the list of headers in `variable` by everything they include.
# Paths are relative to `root`.
function(add_included_headers variable root)
  set(open ${${variable}})
  set(all "")
  while(open)
    list(POP_FRONT open header)
    if(header IN_LIST all)
      continue()
    endif()
    list(APPEND all ${header})
    file(STRINGS ${root}/${header} includes REGEX "^#include \"")
    foreach(line ${includes})
      string(REGEX REPLACE "^#include \"(.*)\"" "\\1" included "${line}")
      list(APPEND open ${included})
    endforeach()
  endwhile()
  list(SORT all)
  set(${variable} ${all} PARENT_SCOPE)
endfunction()
