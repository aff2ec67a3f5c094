#pragma once

#include "dataset_contract.h"
#include "estimator_contract.h"
#include "inverse_hessian_contract.h"
#include "model_contract.h"
#include "optimizer_contract.h"
#include "plugin_test.h"
#include "problem_contract.h"

/// What the interfaces of nestgrad promise, as checks for those who implement
/// them: inside this project, where they are held against every registered
/// type, and outside. They need no test framework; see judge_plugin().
///
/// A `section` is what a configuration says about an object. Everything is
/// judged in double precision, by another route than the implementation's:
/// central differences, dense algebra, repetition.
namespace nestgrad::testing {}
