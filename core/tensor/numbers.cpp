#include "core/tensor/numbers.h"

#include <ATen/ATen.h>

namespace nestgrad {

std::vector<double> to_numbers(const at::Tensor& t) {
  const at::Tensor flat =
      t.detach().to(at::kCPU).to(at::kDouble).reshape(-1).contiguous();
  return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
}

const char* dtype_name(at::ScalarType type) {
  return type == at::kDouble ? "float64" : "float32";
}

}  // namespace nestgrad
