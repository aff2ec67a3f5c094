#include "experiments/predict/predict.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "core/platform/error.h"
#include "core/platform/text.h"
#include "core/tensor/key.h"
#include "core/tensor/numbers.h"
#include "experiments/predict/run_network.h"
#include "experiments/problems/evaluated_parts.h"
#include "experiments/setup/precision.h"

namespace nestgrad {
namespace {

/// What the network of a run says of inputs as it takes them.
Tensor answers_of(const RunNetwork& network, const Tensor& inputs) {
  const at::NoGradGuard no_tape;
  const SavedNetwork& saved = network.saved;
  const ParameterSet settings = network.settings();
  const Tensor out = saved.loss.predictions(network.model->forward(
      network.weights, inputs, Pass::evaluation_as(Draw(), settings)));
  if (saved.loss.target() == TargetKind::kNumbers) {
    return saved.preparation.targets_in_source_units(out);
  }
  if (!saved.loss.gives_logits()) return out;
  return saved.loss.target() == TargetKind::kClasses ? out.softmax(-1)
                                                     : out.sigmoid();
}

/// What the number i of an answer is called.
std::string name_of(const Preparation& preparation, std::int64_t i) {
  const auto place = static_cast<std::size_t>(i);
  return place < preparation.target_names.size()
             ? preparation.target_names[place]
             : std::to_string(i);
}

std::string header(const RunNetwork& network) {
  const bool classes = network.saved.loss.target() == TargetKind::kClasses;
  const bool numbers = network.saved.loss.target() == TargetKind::kNumbers;
  const std::int64_t count = classes ? network.saved.preparation.classes
                                     : network.saved.outputs.back();
  std::string out = classes ? "example,prediction" : "example";
  for (std::int64_t i = 0; i < count; ++i) {
    const std::string name = name_of(network.saved.preparation, i);
    out += "," + csv_field(numbers ? name
                           : network.saved.loss.gives_logits()
                               ? fmt::format("p({})", name)
                               : fmt::format("output({})", name));
  }
  return out + "\n";
}

/// All digits that the type of an answer has.
std::string digits(double number, at::ScalarType type) {
  return type == at::kDouble ? fmt::format("{}", number)
                             : fmt::format("{:.9g}", number);
}

std::string row(const RunNetwork& network, const std::string& example,
                const Tensor& answer) {
  const std::vector<double> numbers = to_numbers(answer);
  std::string out = csv_field(example);
  if (network.saved.loss.target() == TargetKind::kClasses) {
    out += ",";
    if (std::none_of(numbers.begin(), numbers.end(),
                     [](double number) { return std::isnan(number); })) {
      const auto largest = std::max_element(numbers.begin(), numbers.end());
      out += csv_field(
          name_of(network.saved.preparation, largest - numbers.begin()));
    }
  }
  for (const double number : numbers) {
    out += "," + digits(number, answer.scalar_type());
  }
  return out + "\n";
}

/// Throws Error if the answer for the only example changes when another one is
/// there, so that the answer for it alone says nothing. `bfloat16`: of the
/// network, whose rounding may differ from batch to batch.
void require_own_answer(const RunNetwork& network, const Tensor& example,
                        const std::string& data, bool bfloat16) {
  const Tensor other = example.eq(0).to(example.options());
  Tensor of_both;
  try {
    of_both = answers_of(network, at::cat({example, other}));
  } catch (const std::exception&) {
    return;  // a network of Python's that takes batches of one example
  }
  require(at::allclose(answers_of(network, example), of_both.narrow(0, 0, 1),
                       /*rtol=*/bfloat16 ? 0.05 : 1e-2,
                       /*atol=*/bfloat16 ? 1e-2 : 1e-4, /*equal_nan=*/true),
          "'{}': has one example, but the network normalizes with the "
          "statistics of a batch (batch norm), so its answer for one example "
          "alone says nothing; ask about several at once",
          data);
}

}  // namespace

void predict(const std::string& run, const std::string& data,
             const std::function<void(const std::string&)>& write) {
  const RunNetwork network = RunNetwork::load(run);
  const SavedNetwork& saved = network.saved;
  require(saved.outputs.size() == 1,
          "{}: its network answers with a sequence for each example, of which "
          "no table is written",
          run);

  // Without folders, files that the network was trained on need not be there.
  const NewExamples examples =
      DataRegistry::instance()
          .make(Config(network.config.object("problem").object("data").json()))
          ->load_new(data, saved.preparation);
  const Dataset prepared = saved.preparation.prepared(
      examples.examples, network.weights.tensors().front().scalar_type(),
      "'" + data + "'");
  if (prepared.size() == 1) {
    require_own_answer(network, prepared.loaded().inputs, data,
                       is_bfloat16(network.config));
  }
  write(header(network));
  each_evaluated_part(prepared.size(), [&](std::int64_t first, std::int64_t n) {
    const Tensor answers =
        answers_of(network, prepared.loaded(first, n).inputs).contiguous();
    std::string rows;
    for (std::int64_t i = 0; i < n; ++i) {
      const auto number = static_cast<std::size_t>(first + i);
      rows += row(network,
                  number < examples.names.size() ? examples.names[number]
                                                 : std::to_string(number),
                  answers[i]);
    }
    write(rows);
  });
}

}  // namespace nestgrad
