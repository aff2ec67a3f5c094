#include <ATen/ATen.h>

#include "core/nn/layers/reversible/reversible_layer.h"

namespace nestgrad {
namespace {

/// The long short-term memory in two halves (MacKay, Vicol, Ba and Grosse 2018,
/// "Reversible recurrent neural networks", RevLSTM). With sigma_m(a) = m
/// sigmoid(a) + 1 - m, m = max_forget, and h' of the other half:
///
///   f, p = sigma_m(W x + U h' + b),   i, o = sigmoid(W x + U h' + b)
///   c <- f c + i tanh(W x + U h' + b),   h <- p h + o tanh(c)
///
/// where W, U and b are different ones in each place. The first half changes
/// first; the second then reads the new h. Weights of each half: weight_ih is
/// W, weight_hh U and bias b, with "_c" of f, i and what is added to c, with
/// "_h" of p and o.
class LstmCell : public ReversibleCell {
 public:
  using ReversibleCell::ReversibleCell;

  std::size_t parts() const override { return 4; }
  std::vector<std::size_t> outputs() const override { return {kH1, kH2}; }

  std::vector<WeightShape> weights(std::size_t part) const override {
    const std::int64_t affine = changes_c(part) ? 3 : 2;
    const std::string which = std::string(changes_c(part) ? "_c" : "_h") +
                              (part == kC1 || part == kH1 ? "1" : "2");
    return {{"weight_ih" + which, {affine * half(), features()}},
            {"bias" + which, {affine * half()}},
            {"weight_hh" + which, {affine * half(), half()}}};
  }

  Change change(std::size_t part, const Weights& weights, const Tensor& x,
                const std::vector<Tensor>& state) const override {
    enum : std::size_t { kInput, kBias, kState };
    const Tensor& other = state[part == kC1 || part == kH1 ? kH2 : kH1];
    const Tensor affine =
        weights.linear(x, kInput, kBias) + weights.linear(other, kState, kNone);
    if (changes_c(part)) {
      const std::vector<Tensor> a = affine.chunk(3, -1);
      return {factor(a[0]), a[1].sigmoid() * a[2].tanh()};
    }
    const std::vector<Tensor> a = affine.chunk(2, -1);
    return {factor(a[0]), a[1].sigmoid() * state[part - 1].tanh()};
  }

 private:
  enum : std::size_t { kC1, kH1, kC2, kH2 };
  static bool changes_c(std::size_t part) { return part == kC1 || part == kC2; }
};

class RevLstm : public ReversibleLayer {
 public:
  static Schema schema() {
    return reversible_schema(
        "A long short-term memory whose states are recomputed backwards, so "
        "that a derivative does not keep them.");
  }

  RevLstm(const Config& config, const Shape& input)
      : RevLstm(Settings(config, input)) {}

 private:
  explicit RevLstm(const Settings& s)
      : ReversibleLayer(
            s, std::make_shared<LstmCell>(s.features, s.hidden, s.max_forget)) {
  }
};

NESTGRAD_REGISTER(LayerRegistry, "rev_lstm", RevLstm)

}  // namespace
}  // namespace nestgrad
