#include <ATen/ATen.h>

#include "experiments/data/data.h"

namespace nestgrad {
namespace {

/// The copy task (Hochreiter and Schmidhuber 1997, "Long short-term memory";
/// Arjovsky, Shah and Bengio 2016, "Unitary evolution recurrent neural
/// networks"): n random symbols are shown, and after a delay of d steps they
/// are to be repeated. Of k symbols, token k is a blank and k + 1 the signal to
/// begin:
///
///   input    s_1 ... s_n   k ... k   k + 1   k ... k
///   target   k   ... k     k ... k   s_1     s_2 ... s_n
///
/// with d - 1 blanks between the symbols and the signal; 2 n + d - 1 steps in
/// all.
class CopyTask : public DataSource {
 public:
  explicit CopyTask(const Config& config)
      : examples_(config.integer("examples")),
        alphabet_(config.integer("alphabet")),
        symbols_(config.integer("symbols")),
        delay_(config.integer("delay")) {}

  static Schema schema() {
    return Schema(
               "The copy task: random symbols that are to be repeated after a "
               "delay.")
        .integer("examples", 1000, "Total number of sequences.", at_least(3))
        .integer("alphabet", 4, "How many different symbols there are.",
                 at_least(2))
        .integer("symbols", 3, "How many are shown, and then repeated.",
                 at_least(1))
        .integer("delay", 5,
                 "Steps from the last of them to the signal to repeat them.",
                 at_least(1));
  }

  Examples load(const Key& key) const override {
    const Tensor u = key.fold("symbols").uniform(
        at::empty({examples_, symbols_}, at::kDouble));
    const Tensor shown =
        (u * static_cast<double>(alphabet_)).floor().to(at::kLong);
    const auto blanks = [&](std::int64_t steps) {
      return at::full({examples_, steps}, alphabet_, at::kLong);
    };
    const Tensor inputs = at::cat(
        {shown, blanks(delay_ - 1), blanks(1) + 1, blanks(symbols_ - 1)}, 1);
    const Tensor targets = at::cat({blanks(symbols_ + delay_ - 1), shown}, 1);
    return {{inputs, targets, alphabet_ + 1}, {}};
  }

 private:
  std::int64_t examples_, alphabet_, symbols_, delay_;
};

NESTGRAD_REGISTER(DataRegistry, "copy_task", CopyTask)

}  // namespace
}  // namespace nestgrad
