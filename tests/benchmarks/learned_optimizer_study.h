#pragma once

#include <string>

namespace nestgrad {

/// Compares the training rule of the configuration `config`, with the
/// hyperparameters as they are before tuning, with Adam at seven learning
/// rates, each over five seeds: the area under the curve of the validation
/// loss, which is its mean after each of the first `steps` training steps, and
/// the loss at their end. A seed has initial weights, a split of the data and
/// an order of minibatches of its own.
void study_learned_optimizer(const std::string& config, std::int64_t steps);

}  // namespace nestgrad
