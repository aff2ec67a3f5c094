#include <ATen/ATen.h>

#include <array>

#include "experiments/problems/games/game.h"

namespace nestgrad {
namespace {

/// Two correlated factors that a linear encoder is to find, each by itself
/// (Funke, Vicol, Wang, Kuemmerer, Zemel and Bethge 2022, "Disentanglement and
/// generalization under correlation shifts", section 3):
///
///   s ~ N(0, [1 r; r 1]),   x = s + e,   e ~ N(0, noise),   z = W x
///
/// Player 1 is W. It descends the mean squared error |s - z|^2 and `strength`
/// times what the parts of z say about each other,
///
///   conditional     I(z_1; z_2 | s_1) + I(z_1; z_2 | s_2)
///   unconditional   I(z_1; z_2)
///
/// as player 2 sees it, who predicts z_j from z_k (and s_k) by linear maps with
/// the coefficients y and descends its squared errors m: an information of
/// Gaussian numbers is log(v / m) / 2, v the variance of z_j (given s_k) and m
/// the least error. All expectations are exact.
///
/// Where the factors are correlated, parts of z that follow them are as well.
/// Parts that say nothing of each other therefore mix the factors, and fail
/// where the correlation changes; parts that say nothing of each other given a
/// factor do not.
class GaussianDisentanglement : public Game {
 public:
  GaussianDisentanglement(const Config& config, const ProblemContext& context)
      : options_(context.options),
        noise_(config.number("noise")),
        strength_(config.number("strength")),
        adversary_(config.text("adversary")),
        train_(covariance(config.number("correlation"))),
        test_(covariance(config.number("test_correlation"))) {}

  static Schema schema() {
    return Schema("A linear encoder of two correlated Gaussian factors.")
        .tunes(kAdversary, kAdversaryMeaning)
        .number("correlation", 0.8, "Correlation of the factors in training.",
                Range{-1, 1, true, true})
        .number("test_correlation", 0, "The same in the test.",
                Range{-1, 1, true, true})
        .number("noise", 0.1, "Variance of the noise of each input.", above(0))
        .choice("adversary", "conditional",
                "What the parts of the code may not say about each other: "
                "anything (unconditional), or anything that a factor does not "
                "say (conditional).",
                {"conditional", "unconditional", "none"})
        .number("strength", 10, "Factor of the information in the loss.",
                at_least(0));
  }

  /// For either prediction the coefficients of z_k and s_k.
  std::vector<Hyperparameter> hyperparameters() const override {
    Hyperparameter adversary;
    adversary.name = kAdversary;
    adversary.meaning = kAdversaryMeaning;
    adversary.initial = at::zeros({2, 2}, options_);
    return {adversary};
  }

  ParameterSet initial_weights(const ParameterSet&, const Key&) const override {
    return {{kEncoder, at::eye(2, options_)}};
  }

  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw&) const override {
    const Tensor& w = weights.at(kEncoder);
    Tensor loss = error(w, train_);
    if (adversary_ == "none") return loss;
    const Tensor c = joint(w);
    const Tensor unexplained = errors(c, hyper);
    for (int k = 0; k < 2; ++k) {
      const int j = 1 - k;
      Tensor variance = c[2 + j][2 + j];
      if (conditional()) variance = variance - c[2 + j][k].square() / c[k][k];
      loss = loss + 0.5 * strength_ / (conditional() ? 1 : 2) *
                        (variance / unexplained[k]).log();
    }
    return loss;
  }

  Tensor valid_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw&) const override {
    return errors(joint(weights.at(kEncoder)), hyper).sum();
  }

  Metrics evaluate(const ParameterSet& weights,
                   const ParameterSet& hyper) const override {
    Metrics out = errors_of(weights.at(kEncoder));
    out["valid_loss"] = valid_loss(weights, hyper, Draw()).item<double>();
    return out;
  }

  std::string metric() const override { return "train_loss"; }

  /// In closed form: the best W, the best whose parts are independent, and the
  /// best whose parts are independent given either factor. With the covariance
  /// X of x and S of s in training they are
  ///
  ///   S X^-1,   diag(X^-1/2 S) X^-1/2,   diag(S) diag(X)^-1.
  std::vector<std::pair<std::string, Metrics>> outcomes(
      const ParameterSet&) const override {
    const Tensor x = train_ + noise_ * at::eye(2, options_);
    const auto [values, vectors] = at::linalg_eigh(x);
    const Tensor whitening =
        at::mm(vectors * values.rsqrt(), vectors.t());  // X^-1/2
    const Tensor scale = at::mm(whitening, train_).diagonal();
    return {
        {"least squares", errors_of(at::mm(train_, at::linalg_inv(x)))},
        {"no information", errors_of(scale.unsqueeze(1) * whitening)},
        {"no conditional information",
         errors_of(at::diag(train_.diagonal() / x.diagonal()))},
    };
  }

 private:
  static constexpr const char* kEncoder = "encoder";
  static constexpr const char* kAdversary = "adversary";
  static constexpr const char* kAdversaryMeaning =
      "Coefficients by which player 2 predicts one part of the code from the "
      "other and from its factor.";

  bool conditional() const { return adversary_ == "conditional"; }

  Tensor covariance(double correlation) const {
    return at::tensor({1., correlation, correlation, 1.}, at::kDouble)
        .view({2, 2})
        .to(options_);
  }

  /// E |s - W x|^2 for factors with the covariance S.
  Tensor error(const Tensor& w, const Tensor& s) const {
    const Tensor x = s + noise_ * at::eye(2, options_);
    return s.trace() - 2 * at::mm(w, s).trace() +
           at::mm(at::mm(w, x), w.t()).trace();
  }

  Metrics errors_of(const Tensor& w) const {
    return {{"train_loss", error(w, train_).item<double>()},
            {"test_loss", error(w, test_).item<double>()}};
  }

  /// The covariance of (s_1, s_2, z_1, z_2) in training.
  Tensor joint(const Tensor& w) const {
    const Tensor of_s = at::cat({at::eye(2, options_), w});  // [4, 2]
    const Tensor of_noise = at::cat({at::zeros({2, 2}, options_), w});
    return at::mm(at::mm(of_s, train_), of_s.t()) +
           noise_ * at::mm(of_noise, of_noise.t());
  }

  /// The squared errors of both predictions, [2].
  Tensor errors(const Tensor& c, const ParameterSet& hyper) const {
    std::array<Tensor, 2> out;
    for (int k = 0; k < 2; ++k) {
      const Tensor a = hyper.at(kAdversary)[k][0],
                   b = hyper.at(kAdversary)[k][1];
      // The coefficients of (s_1, s_2, z_1, z_2) in z_j - a z_k - b s_k.
      std::array<Tensor, 4> row;
      row.fill(at::zeros_like(a));
      row[static_cast<std::size_t>(3 - k)] = at::ones_like(a);
      row[static_cast<std::size_t>(2 + k)] = -a;
      if (conditional()) row[static_cast<std::size_t>(k)] = -b;
      const Tensor r = at::stack({row[0], row[1], row[2], row[3]});
      out[static_cast<std::size_t>(k)] = at::dot(r, at::mv(c, r));
    }
    return at::stack({out[0], out[1]});
  }

  at::TensorOptions options_;
  double noise_, strength_;
  std::string adversary_;
  Tensor train_, test_;  // covariances of the factors
};

NESTGRAD_REGISTER(ProblemRegistry, "gaussian_disentanglement",
                  GaussianDisentanglement)

}  // namespace
}  // namespace nestgrad
