#include "core/hyper_space.h"
#include "core/nn/model.h"
#include "experiments/setup/experiment.h"
#include "experiments/setup/protocol.h"
#include "experiments/setup/stopping.h"

namespace nestgrad {
namespace {

Schema inner_schema() {
  return Schema("How the weights are trained.")
      .choice("minibatches", "common",
              "Which minibatches a run of inner training sees. common: all "
              "runs see the same ones in the same order. per_start: each start "
              "(see estimator.starts) has an order of its own, and so has each "
              "network of the final runs.",
              {"common", "per_start"});
}

Schema outer_schema() {
  return Schema("How the hyperparameters move.")
      .integer("steps", 100, "Outer steps: hypergradients that are followed.",
               at_least(1))
      .choice("select", "best",
              "Which outer step is handed out: its hyperparameters and its "
              "weights. best: of the steps that are evaluated (see "
              "record.every), the one with the least validation loss; the "
              "start is one of them. last: the hyperparameters after the last "
              "step. A run that tunes nothing hands out its last weights.",
              {"best", "last"})
      .section("stop", Stopping::schema(), Json::object(),
               "When tuning ends earlier.");
}

Schema checkpoint_schema() {
  return Schema(
             "When the whole state of a run is written, for 'nestgrad resume', "
             "and its results so far with it. That is done at a signal as "
             "well.")
      .number("minutes", 5, "Minutes from one to the next.", at_least(0))
      .integer("steps", 0,
               "Outer steps from one to the next, if time does not come first; "
               "0: time alone.",
               at_least(0))
      .integer("keep", 2, "How many are kept; 0: none are written.",
               at_least(0));
}

Schema record_schema() {
  return Schema("What is written down, and how the result is judged.")
      .text("folder", kAbsent,
            "Where the results go; runs/<name of the configuration>-<n> if "
            "left out.")
      .integer("every", 10,
               "Outer steps from one evaluation (accuracy, test loss) and one "
               "line of progress to the next. The start, the first and the "
               "last step are evaluated in any case.",
               at_least(1))
      .number("retrain", "auto",
              "Training steps of the two final runs from scratch, under the "
              "hyperparameters found and under those of the start; 0: none; "
              "auto: as many as tuning made in one run.",
              from_to(0, 1e15), {"auto"})
      .number("retrain_seconds", kAbsent,
              "Budget of all final runs. Each of their networks may take an "
              "equal share of the time that is left, and is evaluated where "
              "it has come to when its share is used up.",
              above(0))
      .number("networks", "auto",
              "Networks of each final run, which differ in their initial "
              "weights; of several, mean and standard deviation are shown. "
              "auto: 3 if all final runs then take no more work than tuning "
              "did, else 1. Work is counted in gradients of the training "
              "loss; a Hessian product counts as three.",
              at_least(1), {"auto"})
      .objects("other_models", ModelRegistry::instance(), Json::array(),
               "Models in the place of the problem's that are trained from "
               "scratch under the hyperparameters found as well.")
      .object("protocol", ProtocolRegistry::instance(), kAbsent,
              "Of the problem distillation: how the networks of the final runs "
              "are trained. If left out, as in tuning.")
      .boolean("fresh", false,
               "Whether every evaluation also trains a network from scratch, "
               "the first of those of the final runs, for metrics such as "
               "fresh_test_accuracy. With outer.select best, steps are then "
               "judged by these networks.")
      .section("checkpoint", checkpoint_schema(), Json::object(),
               "What is kept of a run that does not live to its end.");
}

Schema distributed_schema() {
  return Schema(
             "What the ranks of a run divide, if there are several, how they "
             "find each other and how they wait; see "
             "docs/several_machines.md.")
      .choice("divide", kAbsent,
              "What the ranks divide: the particles of evolution strategies; "
              "the examples of minibatches; or starts: each rank trains from "
              "starts of its own, and hypergradients are averaged. If left "
              "out, particles where the estimator has some, and otherwise "
              "examples.",
              {"particles", "examples", "starts"})
      .integer("shares", 0,
               "Into how many shares the examples of a minibatch are divided, "
               "or over how many starts hypergradients are averaged: a power "
               "of two. Every number of ranks that divides it, one "
               "included, then gets the same bits. 0: one for each rank.",
               at_least(0))
      .boolean(
          "divide_outer", false,
          "Whether each rank keeps a part of the outer rule's memory, such "
          "as the moments of adam, and moves that part of the "
          "hyperparameters. For rules that move each number by itself.")
      .text("interface", kAbsent,
            "The network interface by which ranks talk, such as eth0. If left "
            "out, the one that leads to the host of rank 0.")
      .number("join_seconds", 300,
              "How many seconds to wait for a rank that has not started.",
              above(0))
      .number("silent_seconds", 10,
              "After how many seconds without a sign of life a rank is lost.",
              at_least(3))
      .number("collective_seconds", 1800,
              "How many seconds later than the others a rank that lives may "
              "come to an exchange.",
              above(0));
}

}  // namespace

Schema experiment_schema() {
  return Schema(
             "An experiment: hyperparameters of a problem, tuned by "
             "hypergradients.")
      .integer("seed", 1, "What everything random follows from.",
               from_to(0, 9007199254740992.0))
      .text("device", "cpu",
            "Where tensors live: `cpu`, `cuda`, `cuda:1` or another device of "
            "LibTorch or of a plugin, by its name.")
      .boolean("device_graphs", false,
               "Whether what a device other than the CPU does again and again "
               "is recorded once and then launched all at once (CUDA graphs): "
               "windows of training that come again, and the products of a "
               "solver. Saves time where the operators are small.")
      .choice("precision", "float32",
              "How precisely the run computes. float32, float64: all of it. "
              "tf32: in float32, but CUDA may round what it multiplies to "
              "TF32. bfloat16: networks in bfloat16, everything else in "
              "float32.",
              {"float32", "tf32", "bfloat16", "float64"})
      .integer("threads", 0,
               "Threads of the process; 0: one per core, divided by the ranks "
               "of the host.",
               at_least(0))
      .section("distributed", distributed_schema(), Json::object(),
               "Several processes that share the work, on one host or more.")
      .object("problem", ProblemRegistry::instance(), kRequired,
              "The two losses: training and validation.")
      .map("hyperparameters", hyper_spec_schema(), kRequired,
           "What is tuned, by name.")
      .object("inner", OptimizerRegistry::instance(), "sgd",
              "The rule that trains the weights; \"$name\" stands for a "
              "hyperparameter.",
              inner_schema())
      .object("estimator", EstimatorRegistry::instance(), "ift",
              "How hypergradients are estimated.")
      .object("outer", OptimizerRegistry::instance(),
              Json{{"type", "adam"}, {"lr", 0.05}},
              "The rule that moves the hyperparameters, in the coordinates in "
              "which they are tuned.",
              outer_schema())
      .section("record", record_schema(), Json::object(),
               "What is written down.")
      .texts("plugins", Json::array(),
             "Shared libraries whose estimators, problems, models, ... can be "
             "named here; see docs/adding_an_estimator.md.");
}

}  // namespace nestgrad
