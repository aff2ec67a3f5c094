#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/dataset.h"
#include "core/observer.h"
#include "core/storage/archive.h"
#include "experiments/record/run_folder.h"

namespace nestgrad {

/// Writes learned examples in formats that other programs read:
///
///   distilled.npz   `inputs`, in the units of the source, `labels`, float32
///                   [examples, classes], and `targets`, the most probable
///                   class, int64: for numpy.load and for this program
///   distilled-images-idx3-ubyte, distilled-labels-idx1-ubyte
///                   grey images (one channel) in the format of MNIST, pixels
///                   clamped to 0 ... 255
///   distilled.png   images in a grid
void write_learned_examples(const RunFolder& folder,
                            const SoftExamples& examples);

/// The first images of a set as a PNG file: one column per class, at most ten
/// rows, each image below the class of its label: its name or, if there are not
/// as many names as classes, its number. Grey values are stretched from the
/// lowest to the highest percentile. The ground is transparent. Returns "" for
/// inputs that are not images ([examples, 1 or 3, height, width]).
std::string draw_examples(const SoftExamples& examples);

/// Remembers how the first example of each class changes over time.
class ExamplesOverTime : public Observer {
 public:
  /// `start`: the learned examples before the first step.
  ExamplesOverTime(const BilevelProblem& problem, const SoftExamples& start);

  Verdict on_step(const OuterStep& step) override;

  /// One strip per remembered example, from the start to `now`, the learned
  /// examples after `step` moves, as a PNG file; see draw_examples(). Later
  /// moments are left out. Returns "" for inputs that are not images.
  std::string draw(std::int64_t step, const SoftExamples& now) const;

  void persist(Archive& archive);

 private:
  struct Moment {
    std::int64_t step = 0;
    SoftExamples examples;

    void persist(Archive& archive);
  };

  /// The first example of each class.
  static Moment moment(std::int64_t step, const SoftExamples& all);

  const BilevelProblem& problem_;
  std::vector<Moment> moments_;
};

}  // namespace nestgrad
