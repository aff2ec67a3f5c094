#pragma once

#include <functional>
#include <string>

namespace nestgrad {

/// Tells what the network of a run says about new examples: calls `write` with
/// pieces of a CSV table that has a header and a row for each example.
///
///   classes  example, prediction, and the probability of each class
///   ("p(cat)"),
///            or the output for each class if the loss was the squared error;
///            no prediction where one of them is NaN
///   labels   example, and the probability of each label
///   numbers  example, and each number, in the units of the source
///
/// `run`: the folder of a run; the weights are those that it hands out, without
/// training from scratch. `data`: a file like the inputs that the network was
/// trained on, or a folder of images; targets may be missing. The data of the
/// run are not needed. Examples are asked about in parts of equal size, as in
/// evaluation, which matters to networks that normalize with the statistics of
/// the batch. Throws Error if the run has no network, if the examples have
/// another form, if the network answers with sequences, or for a single example
/// if the answer would depend on which others are there.
void predict(const std::string& run, const std::string& data,
             const std::function<void(const std::string&)>& write);

}  // namespace nestgrad
