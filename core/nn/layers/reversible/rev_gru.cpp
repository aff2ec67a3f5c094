#include <ATen/ATen.h>

#include "core/nn/layers/reversible/reversible_layer.h"

namespace nestgrad {
namespace {

/// The gated recurrent unit in two halves (MacKay, Vicol, Ba and Grosse 2018,
/// "Reversible recurrent neural networks", RevGRU). With sigma_m(a) = m
/// sigmoid(a) + 1 - m, m = max_forget, and the other half h':
///
///   z = sigma_m(W_z x + U_z h' + b_z),   r = sigmoid(W_r x + U_r h' + b_r)
///   h <- z h + (1 - z) tanh(W_n x + V (r h') + b_n)
///
/// The first half changes first; the second then reads the new one. Weights of
/// each: weight_ih is W and bias b, of z, r and n, weight_hh is U of z and r,
/// weight_candidate is V.
class GruCell : public ReversibleCell {
 public:
  using ReversibleCell::ReversibleCell;

  std::size_t parts() const override { return 2; }
  std::vector<std::size_t> outputs() const override { return {0, 1}; }

  std::vector<WeightShape> weights(std::size_t part) const override {
    const std::string which = part == 0 ? "_1" : "_2";
    return {{"weight_ih" + which, {3 * half(), features()}},
            {"bias" + which, {3 * half()}},
            {"weight_hh" + which, {2 * half(), half()}},
            {"weight_candidate" + which, {half(), half()}}};
  }

  Change change(std::size_t part, const Weights& weights, const Tensor& x,
                const std::vector<Tensor>& state) const override {
    enum : std::size_t { kInput, kBias, kState, kCandidate };
    const Tensor& other = state[1 - part];
    const std::vector<Tensor> read =
        weights.linear(x, kInput, kBias).chunk(3, -1);
    const std::vector<Tensor> gates =
        weights.linear(other, kState, kNone).chunk(2, -1);
    const Tensor z = factor(read[0] + gates[0]);
    const Tensor r = (read[1] + gates[1]).sigmoid();
    const Tensor n =
        (read[2] + weights.linear(r * other, kCandidate, kNone)).tanh();
    return {z, (1 - z) * n};
  }
};

class RevGru : public ReversibleLayer {
 public:
  static Schema schema() {
    return reversible_schema(
        "A gated recurrent unit whose states are recomputed backwards, so that "
        "a derivative does not keep them.");
  }

  RevGru(const Config& config, const Shape& input)
      : RevGru(Settings(config, input)) {}

 private:
  explicit RevGru(const Settings& s)
      : ReversibleLayer(
            s, std::make_shared<GruCell>(s.features, s.hidden, s.max_forget)) {}
};

NESTGRAD_REGISTER(LayerRegistry, "rev_gru", RevGru)

}  // namespace
}  // namespace nestgrad
