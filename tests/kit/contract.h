#pragma once

#include <string>
#include <vector>

#include "core/nn/model.h"
#include "core/optimizer.h"
#include "hypergrad/estimator.h"
#include "hypergrad/solvers/inverse_hessian.h"

/// What the interfaces of nestgrad promise, as checks for those who implement
/// them: inside this project, where they are held against every registered
/// type, and outside. They need no test framework:
///
///   int main() { return report(estimator_faults({{"type", "mine"}})); }
///
/// A `section` is what a configuration says about an object. Everything is
/// judged in double precision, by another route than the implementation's:
/// central differences, dense algebra, repetition.
namespace nestgrad::testing {

/// What breaks a contract, one sentence each; none, if it is kept.
using Faults = std::vector<std::string>;

/// Prints them to standard error. Returns 0 if there are none, for main().
int report(const Faults& faults);

/// - After begin(h, key), estimates depend on the calls and the key alone.
/// - h is not changed, results are finite, alike to h and on no tape.
/// - begin() forgets everything; a restored estimator continues identically,
///   with cold, warm and truncated training.
/// - Several outer steps of one window see the same training.
/// - The estimate is the derivative of claim(), if there is one: central
///   differences, to 1e-6, for a quadratic and for a network.
Faults estimator_faults(const Json& section);

/// - Zeros on the right give zeros, without a product.
/// - The solution is formula(), and in proportion to the right-hand side.
/// - Products are counted.
/// - A product that is not finite is reported.
/// - With `enough_products` and converges(): systems of one unknown, multiples
///   of the identity, clustered and spread-out spectra (condition 100, 10
///   unknowns) are solved to 1e-8, and the residual is told truly.
Faults inverse_hessian_faults(const InverseHessian& solver,
                              bool enough_products);
Faults inverse_hessian_faults(const Json& section);

/// - A step changes none of its arguments and can be repeated.
/// - The memory starts as zeros, named slot/weight.
/// - Derivatives of three steps by weights, slots, gradients and settings are
///   right: central differences, to 1e-6.
///
/// `natural`: numbers, in double precision, of the hyperparameters that the
/// section names. Name one for each setting ("lr": "$lr").
Faults optimizer_faults(const Json& section, const ParameterSet& natural);

/// - The same draw gives the same losses, whoever asked for what before.
/// - Losses are finite scalars on the tapes of weights and hyperparameters;
///   neither is changed.
/// - First weights follow the key.
/// - First and second derivatives of the training loss, the mixed one included,
///   and first ones of the validation loss are right: central differences along
///   random directions, to 1e-4. Where there are none, it throws Unsupported
///   instead of giving them.
///
/// `hyperparameters`: the section of a configuration that says which are tuned,
/// and from where on; default: all that the problem offers.
Faults problem_faults(const Json& section,
                      const Json& hyperparameters = Json::object());

/// - Fresh weights follow the key alone.
/// - The output depends on the arguments alone, without noise in evaluation,
///   and changes none of them.
/// - First and second derivatives are right: central differences along random
///   directions, to 1e-5.
///
/// `input`: a batch, in double precision or tokens.
Faults model_faults(const Model& model, const Tensor& input);

/// The same for a layer, whose output has the shape that it promises.
Faults layer_faults(const Json& section, const Tensor& input);

/// - The same key gives the same examples.
/// - Inputs are finite, there are as many labels, and these are classes.
Faults dataset_faults(const Json& section);

}  // namespace nestgrad::testing
