#include "hypergrad/pool.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "hypergrad/several.h"

namespace nestgrad {
namespace {

class Pool : public SeveralEstimators {
 public:
  explicit Pool(Members members) { members_ = std::move(members); }

  void begin(const ParameterSet& hyper, const Key& key) override {
    for (std::size_t i = 0; i < members_.size(); ++i) {
      members_[i]->begin(hyper, i == 0 ? key : key.fold("member").fold(i));
    }
    choice_ = key.fold("choice");
    turn_ = present_ = 0;
  }

  Estimate estimate(const ParameterSet& hyper) override {
    const auto u = choice_.fold(static_cast<std::uint64_t>(turn_++))
                       .uniform(at::empty({}, at::kDouble))
                       .item<double>();
    present_ = static_cast<std::int64_t>(
        u * static_cast<double>(members_.size()));  // u < 1
    return present().estimate(hyper);
  }

  // Those of the run that the last estimate took.
  ParameterSet weights(const ParameterSet& hyper) const override {
    return present().weights(hyper);
  }
  TrainingPosition position() const override { return present().position(); }

  void persist(Archive& archive) override {
    archive("choice", choice_);
    archive("turn", turn_);
    archive("present", present_);
    for (std::size_t i = 0; i < members_.size(); ++i) {
      archive(fmt::format("member_{}", i), *members_[i]);
    }
  }

  bool divides_work() const override { return first().divides_work(); }

 private:
  HypergradientEstimator& present() const {
    return *members_[static_cast<std::size_t>(present_)];
  }

  Key choice_;
  std::int64_t turn_ = 0;
  std::int64_t present_ = 0;  // the member of the last estimate
};

}  // namespace

std::unique_ptr<HypergradientEstimator> make_with_pool(
    const Config& section, const TrainingLoop& loop) {
  const EstimatorRegistry& registry = EstimatorRegistry::instance();
  const Truncation cut = Truncation::read(section);
  if (cut.pool == 1) return registry.make(section, loop);
  if (cut.horizon == 0) {
    section.fail("pool",
                 "needs a horizon, over which the ages of its runs are "
                 "spread");
  }
  if (cut.first_horizon > 0) {
    section.fail("first_horizon", "must be 0 with a pool, which spreads them");
  }
  std::vector<std::unique_ptr<HypergradientEstimator>> members;
  for (std::int64_t i = 0; i < cut.pool; ++i) {
    Json own = section.json();
    const std::int64_t windows = cut.horizon / cut.window;
    own["first_horizon"] = (windows - i * windows / cut.pool) * cut.window;
    members.push_back(registry.make(
        Config(std::move(own), section.pointer(), section.folders()), loop));
  }
  return std::make_unique<Pool>(std::move(members));
}

}  // namespace nestgrad
