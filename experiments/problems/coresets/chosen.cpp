#include <ATen/ATen.h>

#include "core/platform/error.h"
#include "experiments/problems/coresets/coreset.h"

// Coresets of real examples, or of means of real examples.

namespace nestgrad {
namespace {

/// What distillation is to come near to.
class All : public Coreset {
 public:
  static Schema schema() {
    return Schema("All real examples, as many as there are.");
  }
  explicit All(const Config&) {}

  SoftExamples make(const Splits& data, std::int64_t examples,
                    const Key&) const override {
    const Dataset all = data.train.loaded();
    require(examples == all.size(), "there are {} real examples, not {}",
            all.size(), examples);
    return {all.inputs,
            at::one_hot(all.targets, all.classes).to(all.inputs.scalar_type())};
  }
};

class Random : public CoresetByClass {
 public:
  static Schema schema() { return Schema("Real examples drawn at random."); }
  explicit Random(const Config&) {}

 private:
  Tensor of_class(const Tensor& x, std::int64_t count,
                  const Key& key) const override {
    const Tensor rows = key.permutation(x.size(0)).slice(0, 0, count);
    return x.index_select(0, rows.to(x.device()));
  }
};

/// With m examples per class, each class is split at random into m equal parts.
class ClassMean : public CoresetByClass {
 public:
  static Schema schema() {
    return Schema(
        "The mean of each class or, with m examples per class, the means of m "
        "random parts of it.");
  }
  explicit ClassMean(const Config&) {}

 private:
  Tensor of_class(const Tensor& x, std::int64_t count,
                  const Key& key) const override {
    const std::int64_t part = x.size(0) / count;
    const Tensor rows = key.permutation(x.size(0)).slice(0, 0, count * part);
    return x.index_select(0, rows.to(x.device()))
        .view({count, part, x.size(1)})
        .mean(1);
  }
};

/// x_k = argmin |mu - (x_1 + ... + x_k) / k|, with mu the mean of the class, in
/// the space of the inputs (Welling 2009, "Herding dynamical weights to learn";
/// in this form Rebuffi et al. 2017, "iCaRL").
class Herding : public CoresetByClass {
 public:
  static Schema schema() {
    return Schema(
        "Real examples, selected one by one so that their mean stays as near "
        "as possible to that of their class.");
  }
  explicit Herding(const Config&) {}

 private:
  Tensor of_class(const Tensor& x, std::int64_t count,
                  const Key&) const override {
    const Tensor mean = x.mean(0);
    const Tensor taken = at::zeros({x.size(0)}, x.options());
    Tensor sum = at::zeros_like(mean);
    std::vector<Tensor> chosen;
    for (std::int64_t k = 1; k <= count; ++k) {
      const auto scale = static_cast<double>(k);
      const Tensor distance =
          ((sum + x) / scale - mean).square().sum(1) + taken;
      const Tensor best = distance.argmin();
      taken.index_fill_(0, best.view({1}), INFINITY);
      chosen.push_back(x[best.item<std::int64_t>()]);
      sum = sum + chosen.back();
    }
    return at::stack(chosen);
  }
};

/// First the example nearest to the mean of its class, then repeatedly the
/// example farthest from all selected ones (Gonzalez 1985; Sener and Savarese
/// 2018, "Active learning for convolutional neural networks: a core-set
/// approach").
class KCenter : public CoresetByClass {
 public:
  static Schema schema() {
    return Schema(
        "Real examples: first the one nearest to the mean of its class, then "
        "repeatedly the one farthest from all selected ones.");
  }
  explicit KCenter(const Config&) {}

 private:
  Tensor of_class(const Tensor& x, std::int64_t count,
                  const Key&) const override {
    const auto distance_to = [&](const Tensor& point) {
      return (x - point).square().sum(1);
    };
    std::vector<Tensor> chosen{
        x[distance_to(x.mean(0)).argmin().item<std::int64_t>()]};
    Tensor nearest = distance_to(chosen[0]);
    while (static_cast<std::int64_t>(chosen.size()) < count) {
      chosen.push_back(x[nearest.argmax().item<std::int64_t>()]);
      nearest = at::minimum(nearest, distance_to(chosen.back()));
    }
    return at::stack(chosen);
  }
};

NESTGRAD_REGISTER(CoresetRegistry, "all", All)
NESTGRAD_REGISTER(CoresetRegistry, "random", Random)
NESTGRAD_REGISTER(CoresetRegistry, "class_mean", ClassMean)
NESTGRAD_REGISTER(CoresetRegistry, "herding", Herding)
NESTGRAD_REGISTER(CoresetRegistry, "k_center", KCenter)

}  // namespace
}  // namespace nestgrad
