#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "core/nn/layer.h"
#include "core/nn/weight_forms.h"
#include "experiments/data/data.h"
#include "experiments/problems/dynamics.h"
#include "experiments/problems/evaluated_parts.h"

namespace nestgrad {
namespace {

/// A recurrent network that reads sequences one token after another. What is
/// unrolled is its state s, what is tuned are its weights h:
///
///   s_{t+1}, y_t = cell(s_t, x_t; h)
///   L_{t+1} = mean_n -log softmax(W y_t + b)[target_t]
///
/// over a minibatch of sequences, which a run reads from the first token on;
/// after the last one it goes on with the next minibatch. Their order follows
/// from Draw::order. So unrolled windows are
/// truncated backpropagation through time, and forward mode in real time is
/// real-time recurrent learning (Williams and Zipser 1989, "A learning
/// algorithm for continually running fully recurrent neural networks"). The
/// losses of training sequences take the place of the validation loss; the
/// metrics are those of the validation and the test sequences, read from the
/// first token to the last.
class RecurrentNetwork : public Dynamics {
 public:
  RecurrentNetwork(const Config& config, const ProblemContext& context)
      : options_(context.options),
        data_(load_splits(config.object("data"), context.key.fold("data"),
                          context.options)),
        sequences_(data_.train.size(), config.integer("sequences"),
                   context.key.fold("train"), context.options.device()) {
    require_sequences(config);
    for (const Dataset* part : {&data_.train, &data_.valid, &data_.test}) {
      if (!part->inputs.defined() || part->size() == 0) continue;
      tokens_ = std::max(tokens_, part->inputs.max().item<std::int64_t>() + 1);
    }
    every_token_ = at::arange(tokens_, data_.train.inputs.options());
    const Shape sequence = {length(), tokens_};
    cell_ = stepped(config, LayerRegistry::instance().make(
                                config.object("cell"), sequence));
    readout_ = LayerRegistry::instance().make(
        Json{{"type", "linear"}, {"out", data_.train.classes}},
        {cell_->output_shape().back()});
    const Key key = context.key.fold(kNetwork);
    initial_.append("cell.", cell_->initial_weights(key.fold("cell")));
    of_cell_ = initial_.size();
    initial_.append("readout.", readout_->initial_weights(key.fold("readout")));
    initial_ = initial_.to(options_);
  }

  static Schema schema() {
    return Schema(
               "A recurrent network that is trained through time: its state is "
               "unrolled, its weights are tuned.")
        .tunes(kNetwork, kNetworkMeaning)
        .object("data", DataRegistry::instance(), "text",
                "Sequences of tokens with a class for each time step.")
        .object("cell", LayerRegistry::instance(),
                Json{{"type", "gru"}, {"hidden", 32}},
                "The layer with a state, which reads tokens as unit vectors; a "
                "linear layer says from its output what the classes are.")
        .integer("sequences", 10,
                 "How many sequences a run reads side by side; 0: all.",
                 at_least(0));
  }

  std::vector<Hyperparameter> hyperparameters() const override {
    Hyperparameter network;
    network.name = kNetwork;
    network.meaning = kNetworkMeaning;
    network.initial = initial_.flatten();
    return {network};
  }

  /// The state of each sequence, part by part, and the loss of the last step.
  ParameterSet initial_weights(const ParameterSet&, const Key&) const override {
    std::int64_t numbers = 1;
    for (const std::int64_t size : cell_->state_sizes()) {
      numbers += size * sequences_.batch_size();
    }
    return {{kState, at::zeros({numbers}, options_)}};
  }

  ProblemAbilities abilities() const override {
    ProblemAbilities out = Dynamics::abilities();
    out.gradient_by_formula = true;
    return out;
  }

  Tensor valid_loss(const ParameterSet& weights, const ParameterSet&,
                    const Draw&) const override {
    return weights.at(kState).select(-1, -1);
  }

  Metrics evaluate(const ParameterSet&,
                   const ParameterSet& hyper) const override {
    Metrics metrics;
    evaluate_on("valid", data_.valid, hyper, metrics);
    evaluate_on("test", data_.test, hyper, metrics);
    return metrics;
  }

 private:
  void require_sequences(const Config& config) const {
    const Dataset& train = data_.train;
    if (train.classes == 0 || train.targets.dim() != 2 ||
        train.inputs.dim() != 2 ||
        at::isFloatingType(train.inputs.scalar_type())) {
      config.fail("data",
                  "must be sequences of tokens with a class for each time "
                  "step, as text has them");
    }
  }

  static std::unique_ptr<const SteppedLayer> stepped(
      const Config& config, std::unique_ptr<Layer> layer) {
    auto* const cell = dynamic_cast<SteppedLayer*>(layer.get());
    if (cell == nullptr) {
      config.fail("cell",
                  "must be a layer with a state from one time step to "
                  "the next");
    }
    layer.release();
    return std::unique_ptr<const SteppedLayer>(cell);
  }

  std::int64_t length() const { return data_.train.inputs.size(1); }

  /// f of the weights of the cell and of those of the readout.
  template <class F>
  auto with_weights(const ParameterSet& hyper, std::int64_t particles,
                    F&& f) const {
    const ParameterSet all = initial_.unflatten(hyper.at(kNetwork));
    const std::size_t of_readout = all.size() - of_cell_;
    const auto cut = [&](const Weights& weights) {
      return f(weights.slice(0, of_cell_), weights.slice(of_cell_, of_readout));
    };
    if (particles > 0) {
      return cut(ParticleWeights(all, particles));
    }
    return cut(SharedWeights(all));
  }

  /// The logits after one token of each sequence, [batch..., classes], whose
  /// `parts` of the state, [batch..., size], become those after it.
  Tensor read(const ParameterSet& hyper, std::int64_t particles,
              const Tensor& tokens, std::vector<Tensor>& parts) const {
    // at::one_hot() reads the tokens, and waits for a device.
    Tensor x = (tokens.unsqueeze(-1) == every_token_).to(options_);
    if (particles > 0) x = x.expand({particles, -1, -1});
    return with_weights(
        hyper, particles, [&](const Weights& cell, const Weights& readout) {
          return readout_->apply(readout, cell_->step(cell, x, parts), Pass());
        });
  }

  /// -log of the probabilities of the targets, [batch...].
  static Tensor losses(const Tensor& logits, const Tensor& targets) {
    const Tensor log = logits.log_softmax(-1);
    return -log.gather(-1, targets.expand(log.sizes().slice(0, log.dim() - 1))
                               .unsqueeze(-1))
                .squeeze(-1);
  }

  Tensor next(const Tensor& state, const ParameterSet& hyper,
              const Draw& draw) const override {
    const Tensor rows = sequences_.rows(draw.step / length(), draw.order);
    const auto now = [&](const Tensor& of_all) {
      const Tensor at_step = of_all.select(1, draw.step % length());
      return rows.defined() ? at_step.index_select(0, rows) : at_step;
    };
    std::vector<std::int64_t> sizes = state.sizes().vec();
    sizes.back() = sequences_.batch_size();
    sizes.push_back(-1);
    std::vector<Tensor> parts;
    std::int64_t first = 0;
    for (const std::int64_t size : cell_->state_sizes()) {
      const std::int64_t n = size * sequences_.batch_size();
      parts.push_back(state.narrow(-1, first, n).reshape(sizes));
      first += n;
    }
    const Tensor logits =
        read(hyper, draw.particles, now(data_.train.inputs), parts);
    std::vector<Tensor> out;
    for (const Tensor& part : parts) out.push_back(part.flatten(-2));
    out.push_back(
        losses(logits, now(data_.train.targets)).mean(-1, /*keepdim=*/true));
    return at::cat(out, -1);
  }

  void evaluate_on(const std::string& name, const Dataset& data,
                   const ParameterSet& hyper, Metrics& metrics) const {
    if (!data.inputs.defined() || data.size() == 0) return;
    const at::NoGradGuard no_tape;
    double loss = 0, right = 0;
    each_evaluated_part(data.size(), [&](std::int64_t first, std::int64_t n) {
      std::vector<Tensor> parts;
      for (const std::int64_t size : cell_->state_sizes()) {
        parts.push_back(at::zeros({n, size}, options_));
      }
      for (std::int64_t t = 0; t < length(); ++t) {
        const Tensor targets = data.targets.narrow(0, first, n).select(1, t);
        const Tensor logits =
            read(hyper, 0, data.inputs.narrow(0, first, n).select(1, t), parts);
        loss += losses(logits, targets).sum().item<double>();
        right += (logits.argmax(-1) == targets).sum().item<double>();
      }
    });
    const auto answers = static_cast<double>(data.targets.numel());
    metrics[name + "_loss"] = loss / answers;
    metrics[name + "_accuracy"] = right / answers;
  }

  static constexpr const char* kNetwork = "network";
  static constexpr const char* kNetworkMeaning =
      "The weights of the network, one vector.";

  at::TensorOptions options_;
  Splits data_;
  BatchSchedule sequences_;
  std::int64_t tokens_ = 0;
  Tensor every_token_;  // 0 to tokens_ - 1
  std::unique_ptr<const SteppedLayer> cell_;
  std::unique_ptr<const Layer> readout_;
  ParameterSet initial_;     // the tensors of the cell, then of the readout
  std::size_t of_cell_ = 0;  // how many are those of the cell
};

NESTGRAD_REGISTER(ProblemRegistry, "recurrent", RecurrentNetwork)

}  // namespace
}  // namespace nestgrad
