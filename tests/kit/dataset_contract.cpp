#include "dataset_contract.h"

#include <ATen/ATen.h>

#include "experiments/data/data.h"
#include "findings.h"

namespace nestgrad::testing {

Faults dataset_faults(const Json& section) {
  return found(named("data source", section), [&](Findings& findings) {
    const auto source = DataRegistry::instance().make(section);
    disturb(1);
    const Examples first = source->load(Key(1));
    disturb(2);
    const Examples again = source->load(Key(1));
    const auto judge = [&](const Dataset& data, const Dataset& repeated) {
      if (!data.inputs.defined()) return;
      findings.expect(data.inputs.equal(repeated.inputs) &&
                          data.targets.equal(repeated.targets),
                      "the same key gives other examples");
      findings.expect(data.size() > 0 && data.targets.size(0) == data.size(),
                      "there is not one label for each example");
      findings.expect(data.inputs.isfinite().all().item<bool>(),
                      "inputs are not finite");
      findings.expect(
          data.targets.scalar_type() == at::kLong &&
              data.targets.min().item<std::int64_t>() >= 0 &&
              data.targets.max().item<std::int64_t>() < data.classes,
          "labels are not the numbers of classes");
    };
    findings.at("(training)");
    judge(first.training, again.training);
    findings.at("(test)");
    judge(first.test, again.test);
  });
}

}  // namespace nestgrad::testing
