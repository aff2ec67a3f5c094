#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/tensor/device_graph.h"
#include "core/tensor/parameter_set.h"

namespace nestgrad {

using ParameterSets = std::vector<ParameterSet>;
using SetFunction = std::function<ParameterSets(const ParameterSets&)>;

/// A pure function of parameter sets on a device, whose operators are recorded
/// at its second call and from then on launched all at once. Its results are
/// the same as those of the function, off the tape.
///
/// What the function has of its host (the number of a step, a key, a learning
/// rate that is no hyperparameter) is recorded with it, so it must be the same
/// at every call. Two things that happen on the host have functions of their
/// own, host_constant() and each_time(). For one thread.
class Replay {
 public:
  explicit Replay(const at::Device& device) : device_(device) {}

  /// f(x), for the same `f` at every call. Calls f itself if the shapes differ
  /// from those of the second call, or if a tensor of x is not on the device.
  /// Throws Error if f waits for the device or copies from or to the host.
  ParameterSets operator()(const SetFunction& f, const ParameterSets& x);

  /// Of the arguments and results that are kept.
  std::int64_t bytes() const;

 private:
  class Making;
  friend Tensor host_constant(const std::function<Tensor()>& make);
  friend void each_time(const std::function<void()>& effect);

  void record(const SetFunction& f, const ParameterSets& x);

  at::Device device_;
  bool called_ = false;
  std::unique_ptr<DeviceGraph> graph_;
  ParameterSets inputs_, outputs_;  // at the addresses that are recorded
  std::vector<Tensor> constants_;
  std::vector<std::function<void()>> effects_;
};

/// A tensor that `make` computes on the host and sends to the device. In a
/// recording it is the one of the first call, which is kept as long as the
/// recording.
Tensor host_constant(const std::function<Tensor()>& make);

/// Does something on the host now or, if the function that is running is being
/// recorded, at every launch of the recording.
void each_time(const std::function<void()>& effect);

/// Functions by name. Of those that were called last are kept as many as have
/// room with their arguments and results, and 512 at most. For one thread.
class ReplayCache {
 public:
  /// Throws Error if the device cannot record. To be made before the first
  /// computation on the device.
  explicit ReplayCache(const at::Device& device,
                       std::int64_t bytes = std::int64_t{1} << 30);

  /// f(x), where `name` stands for all that f has besides x.
  ParameterSets operator()(const std::string& name, const SetFunction& f,
                           const ParameterSets& x);

  const at::Device& device() const { return device_; }

 private:
  static constexpr std::size_t kKept = 512;

  at::Device device_;
  std::int64_t room_, bytes_ = 0;  // for those kept, and of them
  std::list<std::pair<std::string, Replay>> kept_;  // the last one first
  std::unordered_map<std::string, decltype(kept_)::iterator> by_name_;
};

}  // namespace nestgrad
