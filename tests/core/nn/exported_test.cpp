#include <limits>

#include "core/nn/exported/archive.h"
#include "core/nn/exported/graph.h"
#include "core/nn/exported/operators.h"
#include "core/platform/warnings.h"
#include "core/tensor/autodiff.h"
#include "tests/core/nn/exported/fixed_points.h"
#include "tests/kit/contract.h"

namespace nestgrad {
namespace {

std::vector<std::string> names_of(const ParameterSet& set) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < set.size(); ++i) out.push_back(set.name(i));
  return out;
}

}  // namespace

TEST_CASE("an exported network computes what PyTorch computes", "[exported]") {
  const ParameterSet& expected = expected_outputs();
  std::size_t compared = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const std::string& entry = expected.name(i);
    const std::size_t dot = entry.find('.');
    if (entry.substr(dot) != ".output") continue;
    const std::string name = entry.substr(0, dot);
    CAPTURE(name);
    const auto model = load_exported(name);
    const ParameterSet own = model->initial_weights(Key());
    const Tensor want = expected.tensors()[i];
    const Tensor input = exported_input(name);
    const bool fine = want.scalar_type() == at::kDouble;
    CHECK(relative_error(model->forward(own, input, Pass()), want) <
          (fine ? 1e-14 : 1e-5));
    // In the other precision as well.
    const auto type = fine ? at::kFloat : at::kDouble;
    const Tensor other = model->forward(
        own.to(type), input.is_floating_point() ? input.to(type) : input,
        Pass());
    CHECK(other.scalar_type() == type);
    CHECK(relative_error(other.to(want.scalar_type()), want) < 1e-5);
    ++compared;
  }
  CHECK(compared == 16);
}

TEST_CASE("exported networks keep the contract of models", "[exported]") {
  for (const char* name : {"cnn_train", "cnn_eval", "lstm", "gru", "tied",
                           "modern", "shapes", "unused", "counts"}) {
    CAPTURE(name);
    const Tensor input = exported_input(name);
    CHECK(testing::model_faults(
              *load_exported(name),
              input.is_floating_point() ? input.to(at::kDouble) : input) ==
          testing::Faults{});
  }
  CHECK(testing::model_faults(*load_exported("dropout", {2}),
                              exported_input("dropout").to(at::kDouble)) ==
        testing::Faults{});
}

TEST_CASE("an exported network gives the hypergradient of its TorchScript",
          "[exported]") {
  check_same_hypergradient("cnn_train", load_traced("cnn_train", {3}), 3);
  check_same_hypergradient("transformer", load_traced("transformer", {6, 7}),
                           7);
  // Exported by torchvision, traced from other code with the same names.
  check_same_hypergradient("resnet18", load_traced("resnet18", {3}), 3);
}

TEST_CASE("an exported perceptron gives the hypergradient of the same layers",
          "[exported]") {
  check_same_hypergradient(
      "mlp",
      ModelRegistry::instance().make(
          Json{{"type", "mlp"}, {"hidden", {5}}, {"activation", "tanh"}}, {4},
          {3}),
      3);
}

TEST_CASE(
    "weights of an exported network are named as in Python, tied ones "
    "once",
    "[exported]") {
  CHECK(names_of(load_exported("unused")->initial_weights(Key())) ==
        std::vector<std::string>{"unused", "linear.weight", "linear.bias"});
  const ParameterSet tied = load_exported("tied")->initial_weights(Key());
  CHECK(tied.size() == 14);
  CHECK(tied.contains("tokens.weight"));
  CHECK_FALSE(tied.contains("head.weight"));
  CHECK(names_of(load_exported("transformer")->initial_weights(Key())) ==
        names_of(load_traced("transformer", {6, 7})->initial_weights(Key())));
}

TEST_CASE("a weight that an exported network does not use has a zero gradient",
          "[exported]") {
  const auto model = load_exported("unused");
  const ParameterSet w = model->initial_weights(Key()).leaves();
  const ParameterSet g = gradient(
      model->forward(w, exported_input("unused"), Pass()).square().sum(), w);
  CHECK(g.at("unused").eq(0).all().item<bool>());
  CHECK(g.at("linear.weight").norm().item<double>() > 0);
}

TEST_CASE("dropout of an exported network follows the pass and its key",
          "[exported]") {
  const auto model = load_exported("dropout", {2});
  const ParameterSet w = model->initial_weights(Key());
  const Tensor x = exported_input("dropout");
  Pass one, two;
  one.training = two.training = true;
  one.key = Key(1);
  two.key = Key(2);
  const Tensor y = model->forward(w, x, one);
  CHECK(y.equal(model->forward(w, x, one)));
  CHECK_FALSE(y.equal(model->forward(w, x, two)));
  CHECK(
      at::allclose(model->forward(w, x, Pass()),
                   at::linear(x, w.at("linear.weight"), w.at("linear.bias"))));
}

TEST_CASE("an exported network says which inputs it takes", "[exported]") {
  const auto fixed = load_exported("mlp_fixed");
  const ParameterSet w = fixed->initial_weights(Key());
  CHECK_NOTHROW(fixed->forward(w, at::zeros({6, 4}), Pass()));
  CHECK_THROWS_WITH(fixed->forward(w, at::zeros({5, 4}), Pass()),
                    ContainsSubstring("batches of exactly 6 examples") &&
                        ContainsSubstring("dynamic_shapes"));
  CHECK_THROWS_WITH(fixed->forward(w, at::zeros({6, 3}), Pass()),
                    ContainsSubstring("takes [4] for each example, but the "
                                      "data have [3]"));
  CHECK_THROWS_WITH(fixed->forward(w, at::zeros({6, 4}, at::kLong), Pass()),
                    ContainsSubstring("takes floating-point numbers"));
  CHECK_THROWS_WITH(load_exported("transformer", {6, 5}),
                    ContainsSubstring("gives [6, 7] for each example, but [6, "
                                      "5] is wanted"));
  const TemporaryFolder folder;
  const auto bounded = load_exported(
      "mlp", {3}, {{"file", changed(folder, "mlp", [](ZipEntries& all) {
                      std::string& text = all["mlp/models/model.json"];
                      Json json = Json::parse(text);
                      for (auto& range : json["range_constraints"]) {
                        range = {{"min_val", 3}, {"max_val", 5}};
                      }
                      text = json.dump();
                    })}});
  const ParameterSet weights = bounded->initial_weights(Key());
  CHECK_NOTHROW(bounded->forward(weights, at::zeros({5, 4}), Pass()));
  for (const std::int64_t n : {2, 6}) {
    CHECK_THROWS_WITH(bounded->forward(weights, at::zeros({n, 4}), Pass()),
                      ContainsSubstring("batches of 3 to 5 examples"));
  }
  // A size may have bounds as well.
  const auto wide = load_exported(
      "mlp", {3},
      {{"file", changed(folder, "mlp", [](ZipEntries& all) {
          std::string& text = all["mlp/models/model.json"];
          Json json = Json::parse(text);
          json["graph_module"]["graph"]["tensor_values"]["x"]["sizes"][1] = {
              {"as_expr", {{"expr_str", "s9"}}}};
          json["range_constraints"]["s9"] = {{"min_val", 3}, {"max_val", 128}};
          text = json.dump();
        })}});
  CHECK_THROWS_WITH(wide->forward(weights, at::zeros({2, 200}), Pass()),
                    ContainsSubstring("takes [3 to 128] for each example, but "
                                      "the data have [200]"));
  // One example is a batch, too.
  const auto mlp = load_exported("mlp");
  CHECK(mlp->forward(w, at::zeros({1, 4}), Pass()).size(0) == 1);
}

TEST_CASE("a network that was exported on another device runs here",
          "[exported]") {
  const TemporaryFolder folder;
  std::size_t moved = 0;
  const auto on_cuda = [&](ZipEntries& all) {
    const std::string here = R"("device": {"type": "cpu", "index": null})";
    const std::string there = R"("device": {"type": "cuda", "index": 0})";
    const std::string argument = R"("as_device": {"type": "cpu")";
    for (auto& [name, text] : all) {
      for (std::size_t at; (at = text.find(here)) != std::string::npos;) {
        text.replace(at, here.size(), there);
      }
      for (std::size_t at; (at = text.find(argument)) != std::string::npos;) {
        text.replace(at, argument.size(), R"("as_device": {"type": "cuda")");
        ++moved;
      }
    }
  };
  const auto model = load_exported(
      "shapes", {2}, {{"file", changed(folder, "shapes", on_cuda)}});
  CHECK(moved > 0);
  CHECK(model
            ->forward(model->initial_weights(Key()), exported_input("shapes"),
                      Pass())
            .equal(load_exported("shapes")->forward(
                model->initial_weights(Key()), exported_input("shapes"),
                Pass())));
}

TEST_CASE("arithmetic of sizes is that of Python", "[exported]") {
  const auto result = [](const char* target, torch::jit::Stack stack) {
    find_own_operator(target)->run(stack);
    REQUIRE(stack.size() == 1);
    return stack[0];
  };
  const auto whole = [&](const char* target, std::int64_t a, std::int64_t b) {
    return result(target, {a, b}).toInt();
  };
  CHECK(whole("_operator.add", 2, 3) == 5);
  CHECK(whole("_operator.sub", 2, 3) == -1);
  CHECK(whole("_operator.mul", 2, 3) == 6);
  CHECK(whole("_operator.floordiv", -7, 2) == -4);
  CHECK(whole("_operator.mod", -7, 3) == 2);
  CHECK(whole("_operator.mod", 7, -3) == -2);
  CHECK(whole("_operator.pow", 3, 4) == 81);
  CHECK(whole("torch.sym_max", 2, 3) == 3);
  CHECK(whole("torch.sym_min", 2, 3) == 2);
  CHECK(result("_operator.truediv", {7, 2}).toDouble() == 3.5);
  CHECK(result("_operator.add", {7, 0.5}).toDouble() == 7.5);
  CHECK(result("_operator.ge", {7, 7}).toBool());
  CHECK_FALSE(result("_operator.lt", {7, 7}).toBool());
  CHECK(result("torch.sym_not", {false}).toBool());
  CHECK(result("torch.sym_int", {-2.7}).toInt() == -2);
  CHECK(result("torch.sym_ite", {true, 1, 2}).toInt() == 1);
  for (const char* target : {"_operator.floordiv", "_operator.mod"}) {
    CHECK_THROWS_WITH(whole(target, 1, 0), ContainsSubstring("by zero"));
  }
  for (const char* target : {"_operator.add", "_operator.mul"}) {
    CHECK_THROWS_WITH(whole(target, INT64_MAX, 2),
                      ContainsSubstring("overflows"));
  }
}

TEST_CASE("modes that exporting has fixed are warned of", "[exported]") {
  load_exported("cnn_eval");
  load_exported("dropout_eval");
  std::string all;
  for (const std::string& one : warnings()) all += one + "\n";
  CHECK_THAT(all, ContainsSubstring("cnn_eval.pt2: the network was exported in "
                                    "this state: its batch norm uses the "
                                    "running averages"));
  CHECK_THAT(all,
             ContainsSubstring("dropout_eval.pt2: the network was exported "
                               "in this state: its dropout is off"));
}

TEST_CASE("an exported network that always draws numbers is warned of",
          "[exported]") {
  const TemporaryFolder folder;
  const std::string file = changed(folder, "mlp", [](ZipEntries& all) {
    Json json = Json::parse(all["mlp/models/model.json"]);
    json["graph_module"]["graph"]["nodes"][1]["target"] =
        "torch.ops.aten.rand_like.default";
    all["mlp/models/model.json"] = json.dump();
  });
  load_exported("mlp", {3}, {{"file", file}});
  CHECK_THAT(warnings().back(),
             ContainsSubstring(file) &&
                 ContainsSubstring("draws random numbers in evaluation as "
                                   "well, because its operator "
                                   "aten.rand_like.default") &&
                 !ContainsSubstring("network.train()"));
}

TEST_CASE("attention gives zero where a mask of numbers hides all steps",
          "[exported]") {
  const Tensor q = Key(1).normal(at::empty({2, 3, 4}, at::kDouble)),
               k = Key(2).normal(q), v = Key(3).normal(q).requires_grad_();
  const double hidden = -std::numeric_limits<double>::infinity();
  const Tensor mask =
      at::tensor({0.5, hidden, 0.0, hidden, hidden, hidden, 0.0, 1.0, -1.0},
                 at::kDouble)
          .view({3, 3});
  torch::jit::Stack stack = {q, k, v, mask, 0.0, false, c10::IValue(), false};
  find_own_operator("torch.ops.aten.scaled_dot_product_attention.default")
      ->run(stack);
  const Tensor y = stack.at(0).toTensor();
  const Tensor scores = at::matmul(q, k.transpose(1, 2)) / 2 + mask;
  CHECK(y.select(1, 1).eq(0).all().item<bool>());
  for (const std::int64_t row : {0, 2}) {
    const Tensor e = scores.select(1, row).exp().unsqueeze(1);
    CHECK(at::allclose(y.select(1, row).unsqueeze(1),
                       at::matmul(e / e.sum(-1, true), v)));
  }
  const ParameterSet wrt{{"v", v}};
  CHECK(gradient(y.square().sum(), wrt).at("v").isfinite().all().item<bool>());
}

TEST_CASE("a graph leaves the running averages that it is given as they are",
          "[exported]") {
  const ExportedArchive archive =
      read_exported_archive(exported_file("cnn_train.pt2"));
  const ExportedProgram program = parse_exported_program(archive.program);
  std::vector<c10::IValue> values(program.values);
  std::vector<Tensor> state, before;
  for (const ExportedState& one : program.state) {
    const auto found = archive.weights.find(one.name);
    state.push_back((found == archive.weights.end()
                         ? archive.constants.at(one.name)
                         : found->second)
                        .value);
    before.push_back(state.back().clone());
    values[one.value] = state.back();
  }
  values[program.input] = exported_input("cnn_train");
  const Tensor out = ExportedGraph(program, at::kFloat)(
      values, {at::TensorOptions(at::kFloat), /*training=*/true});
  CHECK(out.isfinite().all().item<bool>());
  for (std::size_t i = 0; i < state.size(); ++i) {
    CAPTURE(program.state[i].name);
    // Counting batches is no matter of the operator.
    if (state[i].is_floating_point()) CHECK(state[i].equal(before[i]));
  }
}

TEST_CASE("a plan names the exported operator without a second derivative",
          "[exported]") {
  const TemporaryFolder folder;
  const Json config = {
      {"problem",
       {{"type", "classification"},
        {"data",
         {{"type", "gaussian_clusters"},
          {"features", 4},
          {"classes", 2},
          {"train", 20},
          {"valid", 20},
          {"test", 0}}},
        {"model",
         {{"type", "exported"}, {"file", exported_file("bagged.pt2")}}}}},
      {"hyperparameters", {{"weight_decay", Json::object()}}},
      {"outer", {{"steps", 1}}}};
  folder.write("a.json", config.dump());
  CHECK_THAT(program(folder.path(""), "plan a.json").output,
             ContainsSubstring("_embedding_bag_") &&
                 ContainsSubstring("backward cannot be differentiated twice"));
}

TEST_CASE("weights of a run go back into PyTorch as docs/pytorch.md says",
          "[exported]") {
  const TemporaryFolder folder;
  const std::string root = NESTGRAD_SOURCE_DIR;
  const Ended run = program(
      folder.path(""),
      "run " + root +
          "/configs/exported/fashion_mnist_cnn.json --out run --set "
          "problem.data.train=60 --set problem.data.valid=30 --set "
          "problem.data.test=30 --set problem.batch=30 --set "
          "estimator.window=2 --set outer.steps=2 --set record.retrain=0");
  CAPTURE(run.output);
  REQUIRE(run.code == 0);
  save_safetensors(folder.path("chain"),
                   ModelRegistry::instance()
                       .make(Json{{"type", "mlp"}, {"hidden", {5}}}, {4}, {3})
                       ->initial_weights(Key()));
  const Ended loaded =
      shell(folder.path(""), "/usr/bin/python3 " + root +
                                 "/tests/core/nn/exported/load_back.py " +
                                 root + "/docs/pytorch.md " + root +
                                 "/configs/exported/export.py run chain");
  CAPTURE(loaded.output);
  CHECK(loaded.code == 0);
}

}  // namespace nestgrad
