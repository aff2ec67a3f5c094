#include "dataset_contract.h"

#include <ATen/ATen.h>

#include "experiments/data/data.h"
#include "findings.h"

namespace nestgrad::testing {
namespace {

bool are_classes(const Dataset& data) {
  return data.targets.scalar_type() == at::kLong &&
         data.targets.min().item<std::int64_t>() >= 0 &&
         data.targets.max().item<std::int64_t>() < data.classes;
}

bool are_numbers(const Dataset& data) {
  return at::isFloatingType(data.targets.scalar_type()) &&
         data.targets.dim() == 2 && data.classes == 0 &&
         data.targets.isfinite().all().item<bool>();
}

bool are_alike(const Dataset& a, const Dataset& b) {
  return a.inputs.sizes().slice(1) == b.inputs.sizes().slice(1) &&
         a.targets.sizes().slice(1) == b.targets.sizes().slice(1) &&
         a.classes == b.classes && a.target_names == b.target_names;
}

}  // namespace

Faults dataset_faults(const Json& section) {
  return found(named("data source", section), [&](Findings& findings) {
    const auto source = DataRegistry::instance().make(section);
    disturb(1);
    const Examples first = source->load(Key(1));
    disturb(2);
    const Examples again = source->load(Key(1));
    const auto judge = [&](const Dataset& data, const Dataset& repeated) {
      if (!data.inputs.defined()) return;
      const bool has_targets =
          data.size() > 0 && data.targets.size(0) == data.size();
      findings.expect(has_targets, "there is not one target for each example");
      if (!has_targets) return;
      const Tensor inputs = data.loaded().inputs;
      findings.expect(at::allclose(inputs, repeated.loaded().inputs, 0, 0,
                                   /*equal_nan=*/true) &&
                          data.targets.equal(repeated.targets),
                      "the same key gives other examples");
      findings.expect(first.columns || inputs.isfinite().all().item<bool>(),
                      "inputs are not finite");
      findings.expect(are_classes(data) || are_numbers(data),
                      "targets are neither numbers of classes nor numbers");
      const auto names = static_cast<std::int64_t>(data.target_names.size());
      findings.expect(
          names == 0 ||
              names == (data.classes > 0 ? data.classes : data.targets.size(1)),
          "there is not one name for each class or number");
      findings.expect(are_alike(first.training, data),
                      "its examples are not like those of the training part");
    };
    findings.at("(training)");
    judge(first.training, again.training);
    findings.at("(validation)");
    judge(first.valid, again.valid);
    findings.at("(test)");
    judge(first.test, again.test);
  });
}

}  // namespace nestgrad::testing
