#include "experiments/data/scaling/input_scaling.h"

#include <ATen/ATen.h>

#include <cstring>

#include "core/platform/error.h"
#include "core/platform/text.h"
#include "core/tensor/numbers.h"
#include "experiments/data/scaling/statistics.h"

namespace nestgrad {
namespace {

constexpr const char* kStandardization = "inputs";
constexpr const char* kWhitening = "whitening";

/// Examples whose numbers are multiplied at once.
constexpr std::int64_t kAtOnce = 4096;

/// f(numbers) of examples, [examples, d] in double precision, in the shape and
/// type of the examples.
template <class F>
Tensor of_numbers(const Tensor& examples, F f) {
  const Tensor flat = examples.flatten(1);
  const Tensor out = at::empty_like(flat);
  for (std::int64_t i = 0; i < flat.size(0); i += kAtOnce) {
    out.slice(0, i, i + kAtOnce)
        .copy_(f(flat.slice(0, i, i + kAtOnce).to(at::kDouble)));
  }
  return out.view(examples.sizes());
}

/// The numbers on and below the diagonal of a symmetric matrix as text.
std::string triangle(const Tensor& matrix) {
  const std::int64_t d = matrix.size(0);
  const Tensor places = at::tril_indices(d, d);
  const Tensor numbers =
      matrix.cpu().index({places[0], places[1]}).contiguous();
  return base64(std::string_view(static_cast<const char*>(numbers.data_ptr()),
                                 numbers.nbytes()));
}

Tensor symmetric(const std::string& text, std::int64_t d) {
  const std::string bytes = from_base64(text);
  const auto expected =
      static_cast<std::size_t>(d) * static_cast<std::size_t>(d + 1) / 2 * 8;
  require(bytes.size() == expected,
          "\"{}\" has {} bytes of numbers, expected {}", kWhitening,
          bytes.size(), expected);
  const Tensor numbers = at::empty({d * (d + 1) / 2}, at::kDouble);
  std::memcpy(numbers.data_ptr(), bytes.data(), bytes.size());
  const Tensor places = at::tril_indices(d, d);
  const Tensor out = at::empty({d, d}, at::kDouble);
  out.index_put_({places[0], places[1]}, numbers);
  out.index_put_({places[1], places[0]}, numbers);
  return out;
}

/// Throws Error unless a shift of one shape applies to examples of another,
/// without changing it.
void require_fit(const Tensor& mean, const std::vector<std::int64_t>& example) {
  if (!mean.defined()) return;
  bool fits = mean.dim() == static_cast<std::int64_t>(example.size()) + 1 &&
              mean.size(0) == 1;
  for (std::size_t i = 0; fits && i < example.size(); ++i) {
    const std::int64_t size = mean.size(static_cast<std::int64_t>(i) + 1);
    fits = size == 1 || size == example[i];
  }
  require(fits, "\"{}\" have the shape {}, which does not fit examples of {}",
          kStandardization, c10::str(mean.sizes()),
          c10::str(at::IntArrayRef(example)));
}

}  // namespace

std::int64_t count_of_numbers(const std::vector<std::int64_t>& shape,
                              const char* key) {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) {
    require(size > 0 && !__builtin_mul_overflow(count, size, &count),
            "\"{}\" has an impossible shape", key);
  }
  return count;
}

void write_scale(Json& json, const char* key, const Tensor& mean,
                 const Tensor& deviation) {
  if (!mean.defined()) return;
  json[key] = {{"mean", to_numbers(mean)},
               {"deviation", to_numbers(deviation)},
               {"shape", mean.sizes().vec()}};
}

void read_scale(const Json& json, const char* key, Tensor& mean,
                Tensor& deviation) {
  if (!json.contains(key)) return;
  const Json& both = json.at(key);
  const auto shape = both.at("shape").get<std::vector<std::int64_t>>();
  const std::int64_t count = count_of_numbers(shape, key);
  const auto read = [&](const char* name) {
    const auto numbers = both.at(name).get<std::vector<double>>();
    require(static_cast<std::int64_t>(numbers.size()) == count,
            "\"{}\" of \"{}\" has {} numbers, expected {}", name, key,
            numbers.size(), count);
    return at::tensor(numbers, at::kDouble).view(shape);
  };
  mean = read("mean");
  deviation = read("deviation");
}

Tensor InputScaling::applied(const Tensor& x) const {
  const Tensor y = scaled(x, mean, deviation);
  if (!whitens()) return y;
  return of_numbers(y, [&](const Tensor& numbers) {
    return (numbers - center).matmul(whitening);
  });
}

Tensor InputScaling::undone(const Tensor& z) const {
  const Tensor y = whitens()
                       ? of_numbers(z,
                                    [&](const Tensor& numbers) {
                                      return numbers.matmul(coloring) + center;
                                    })
                       : z;
  return unscaled(y, mean, deviation);
}

InputScaling InputScaling::to(const at::TensorOptions& options) const {
  const auto moved = [](const Tensor& t, const at::TensorOptions& options) {
    return t.defined() ? t.to(options) : t;
  };
  const at::TensorOptions exact = options.dtype(at::kDouble);
  return {moved(mean, options), moved(deviation, options), moved(center, exact),
          moved(whitening, exact), moved(coloring, exact)};
}

void InputScaling::write(Json& json) const {
  write_scale(json, kStandardization, mean, deviation);
  if (whitens()) {
    json[kWhitening] = {{"center", to_numbers(center)},
                        {"numbers", triangle(whitening)}};
  }
}

InputScaling InputScaling::from_json(const Json& json,
                                     const std::vector<std::int64_t>& example) {
  InputScaling out;
  read_scale(json, kStandardization, out.mean, out.deviation);
  require_fit(out.mean, example);
  if (!json.contains(kWhitening)) return out;
  const auto center =
      json.at(kWhitening).at("center").get<std::vector<double>>();
  const auto d = static_cast<std::int64_t>(center.size());
  require(c10::multiply_integers(example) == d,
          "\"{}\" is for {} numbers, which does not fit examples of {}",
          kWhitening, d, c10::str(at::IntArrayRef(example)));
  out.whitening =
      symmetric(json.at(kWhitening).at("numbers").get<std::string>(), d);
  out.center = at::tensor(center, at::kDouble);
  return out;
}

void Covariance::add(const Tensor& inputs) {
  const Tensor all = inputs.flatten(1);
  for (std::int64_t i = 0; i < all.size(0); i += kAtOnce) {
    const Tensor x = all.slice(0, i, i + kAtOnce).to(at::kDouble);
    if (count_ == 0) {
      shift_ = x[0].clone();
      sum_ = at::zeros_like(shift_);
      products_ = shift_.new_zeros({x.size(1), x.size(1)});
    }
    const Tensor rest = x - shift_;
    sum_ += rest.sum(0);
    products_ += rest.t().matmul(rest);
    count_ += static_cast<double>(x.size(0));
  }
}

InputScaling Covariance::whitening(double share) const {
  const Tensor mean = sum_ / count_;
  const Tensor covariance = products_ / count_ - mean.outer(mean);
  require(covariance.trace().item<double>() > 0, "all examples are the same");
  const auto [s, u] = at::linalg_eigh(covariance);
  const Tensor root = (s.clamp_min(0) + share * s.mean()).sqrt();
  InputScaling out;
  out.center = shift_ + mean;
  const Tensor w = (u / root).matmul(u.t());
  out.whitening = 0.5 * (w + w.t());  // symmetric to the last bit
  out.coloring = (u * root).matmul(u.t());
  return out;
}

}  // namespace nestgrad
