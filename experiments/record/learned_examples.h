#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/dataset.h"
#include "core/observer.h"
#include "core/storage/archive.h"
#include "experiments/record/run_folder.h"

namespace nestgrad {

/// Writes learned examples as other programs read them:
///
///   distilled.npz   `inputs`, in the units of the source, `labels`, float32
///                   [examples, classes], and `targets`, the most probable
///                   class, int64: for numpy.load and for this program
///   distilled-images-idx3-ubyte, distilled-labels-idx1-ubyte
///                   grey images (one channel) as MNIST has them, pixels
///                   clamped to 0 ... 255
///   distilled.png   images in a grid
void write_learned_examples(const RunFolder& folder,
                            const SoftExamples& examples);

/// The first images of a set as a PNG file: one column per class, ten rows at
/// most, each under the class that its label names. Grey is stretched from the
/// least to the largest one in a hundred pixels. Inputs that are no images
/// ([examples, 1 or 3, height, width]) have no picture: "" is returned.
std::string draw_examples(const SoftExamples& examples);

/// Remembers what the first example of each class looked like on the way.
class ExamplesOverTime : public Observer {
 public:
  /// `start` is what is learned, before the first step.
  ExamplesOverTime(const BilevelProblem& problem, const SoftExamples& start);

  Verdict on_step(const OuterStep& step) override;

  /// A strip for each of these examples, from the start to the last step, as a
  /// PNG file; "" for inputs that are no images.
  std::string draw() const;

  void persist(Archive& archive);

 private:
  struct Moment {
    std::int64_t step = 0;
    SoftExamples examples;

    void persist(Archive& archive);
  };

  void remember(std::int64_t step, const SoftExamples& all);

  const BilevelProblem& problem_;
  std::vector<Moment> moments_;
};

}  // namespace nestgrad
