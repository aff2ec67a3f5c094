#include "experiments/setup/divided.h"

#include "core/config/alternatives.h"
#include "core/parallel/data_parallel.h"

namespace nestgrad {

std::string to_string(Divided divided) {
  switch (divided) {
    case Divided::kNothing:
      return "";
    case Divided::kParticles:
      return "particles";
    case Divided::kStarts:
      return "starts";
    case Divided::kExamples:
      return "examples";
  }
  return "";
}

Divided wanted_divided(const Config& config,
                       const HypergradientEstimator& estimator) {
  const Config distributed = config.object("distributed");
  if (!distributed.has("divide")) {
    return estimator.divides_work() ? Divided::kParticles : Divided::kExamples;
  }
  for (const Divided each : {Divided::kParticles, Divided::kStarts}) {
    if (distributed.text("divide") == to_string(each)) return each;
  }
  return Divided::kExamples;
}

Divided choose_divided(const Config& config, const World& world,
                       const HypergradientEstimator& estimator,
                       const TrainingLoop& loop, bool tunes) {
  const Config distributed = config.object("distributed");
  const std::int64_t shares = distributed.integer("shares");
  if (world.alone() && shares == 0) return Divided::kNothing;
  if (shares > 0 && !can_share(shares, world)) {
    distributed.fail(
        "shares", fmt::format("must be a power of two that the number of ranks "
                              "divides; there {} {}",
                              world.size() == 1 ? "is" : "are", world.size()));
  }
  const Divided wanted = wanted_divided(config, estimator);
  if (wanted == Divided::kExamples) return wanted;
  if (!tunes) {
    distributed.fail("divide",
                     "must be \"examples\" where nothing is tuned: there are no "
                     "hypergradients");
  }
  if (wanted == Divided::kStarts) return wanted;
  if (shares > 0) {
    distributed.fail("shares",
                     "is for ranks that divide examples or starts; here they "
                     "divide particles");
  }
  if (!estimator.divides_work()) {
    distributed.fail(
        "divide",
        fmt::format("must be \"examples\" or \"starts\" with the estimator "
                    "\"{}\"; those with particles are {}",
                    config.object("estimator").type(),
                    in_words(names_where(
                        EstimatorRegistry::instance(),
                        [](const auto& other) { return other.divides_work(); },
                        loop))));
  }
  return Divided::kParticles;
}

}  // namespace nestgrad
