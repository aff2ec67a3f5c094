#pragma once

#include <array>

namespace nestgrad {

/// Switches off, for a scope, the kernels of LibTorch that have no second
/// derivative: those that compute attention in one piece and, if `recurrent`,
/// all of cuDNN, because of its recurrent networks. Others compute the same.
///
/// The switches belong to the process, so scopes must not overlap on two
/// threads.
class TwiceDifferentiable {
 public:
  explicit TwiceDifferentiable(bool recurrent);
  ~TwiceDifferentiable();
  TwiceDifferentiable(const TwiceDifferentiable&) = delete;
  TwiceDifferentiable& operator=(const TwiceDifferentiable&) = delete;

 private:
  std::array<bool, 4> before_;  // whether each was on
};

}  // namespace nestgrad
