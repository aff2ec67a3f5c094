#include <ATen/ATen.h>

#include <filesystem>

#include "core/platform/files.h"
#include "core/tensor/autodiff.h"
#include "experiments/data/arrays/npz_file.h"
#include "experiments/problems/coresets/coreset.h"
#include "experiments/record/examples/learned_examples.h"
#include "experiments/run/final_runs.h"
#include "experiments/setup/experiment.h"
#include "tests/experiments/plot/picture.h"
#include "tests/experiments/problems/clusters.h"
#include "tests/kit/numbers.h"
#include "tests/support/program.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

std::shared_ptr<const BilevelProblem> problem_of(const Json& json) {
  return ProblemRegistry::instance().make(json, {float64(), Key(1)});
}

Splits splits() {
  const Json data = clusters(3)["data"];
  return load_splits(Config(complete(DataRegistry::instance(), data)), Key(3),
                     float64());
}

SoftExamples made(const Json& coreset, const Splits& data, std::int64_t n) {
  return CoresetRegistry::instance().make(coreset)->make(data, n, Key(4));
}

Tensor of_class(const Splits& data, std::int64_t c) {
  return data.train.inputs.index_select(
      0, data.train.targets.eq(c).nonzero().squeeze(1));
}

}  // namespace

TEST_CASE("learned examples are trained on with the labels they have",
          "[distillation]") {
  const auto problem = problem_of(clusters(4));
  const ParameterSet w = problem->initial_weights({}, Key(2));
  const Tensor x = Key(5).normal(at::empty({4, 4}, float64()));
  const Tensor logits = Key(6).normal(at::empty({4, 3}, float64()));
  const auto outputs = [&](const Tensor& input) {
    const Tensor hidden =
        (at::mm(input, w.tensors()[0].t()) + w.tensors()[1]).tanh();
    return at::mm(hidden, w.tensors()[2].t()) + w.tensors()[3];
  };
  const Tensor log_p = outputs(x).log_softmax(1);

  // Classes in turn where labels are not learned.
  double hard = 0;
  for (std::int64_t i = 0; i < 4; ++i) {
    hard -= log_p[i][i % 3].item<double>() / 4;
  }
  CHECK(problem->train_loss(w, {{"inputs", x}}, Draw()).item<double>() ==
        Approx(hard));
  const ParameterSet soft{{"inputs", x}, {"labels", logits}};
  CHECK(problem->train_loss(w, soft, Draw()).item<double>() ==
        Approx(-(logits.softmax(1) * log_p).sum().item<double>() / 4));
  const ParameterSet decayed{{"inputs", x},
                             {"weight_decay", at::full({}, 0.3, float64())}};
  CHECK(problem->train_loss(w, decayed, Draw()).item<double>() ==
        Approx(hard + 0.15 * dot(w, w).item<double>()));

  // Judged on real ones, all of them here.
  const Metrics metrics = problem->evaluate(w, soft);
  CHECK(metrics.at("train_loss") ==
        Approx(problem->train_loss(w, soft, Draw()).item<double>()));
  CHECK(metrics.count("test_accuracy") == 1);
  CHECK(problem->valid_loss(w, soft, Draw{0, Key(1)}).item<double>() ==
        problem->valid_loss(w, soft, Draw{5, Key(1)}).item<double>());
}

TEST_CASE("a minibatch of learned examples holds each once per epoch",
          "[distillation]") {
  Json json = clusters(6);
  json["batch"] = 2;
  const auto problem = problem_of(json);
  const ParameterSet w = problem->initial_weights({}, Key(2));
  const ParameterSet h{
      {"inputs",
       Key(5).normal(at::empty({6, 4}, float64())).set_requires_grad(true)}};
  Tensor touched = at::zeros({6}, float64());
  for (std::int64_t step = 0; step < 3; ++step) {
    const ParameterSet g =
        gradient(problem->train_loss(w, h, Draw{step, Key(1)}), h);
    touched += g.at("inputs").abs().sum(1).gt(0).to(at::kDouble);
  }
  CHECK(at::equal(touched, at::ones({6}, float64())));
}

TEST_CASE("hypergradients of learned examples meet central differences",
          "[distillation]") {
  const Json config = {
      {"precision", "float64"},
      {"problem", clusters(4)},
      {"hyperparameters",
       {{"inputs", Json::object()},
        {"labels", Json::object()},
        {"lr", {{"initial", 0.3}, {"per", "step"}, {"steps", 5}}}}},
      {"inner", {{"type", "sgd"}, {"lr", "$lr"}, {"momentum", 0.5}}},
      {"estimator", {{"type", "unrolled"}, {"window", 5}, {"horizon", 5}}}};
  const TemporaryFolder folder;
  folder.write("d.json", config.dump());
  for (const char* how :
       {"", "--set problem.soft_labels=weights",
        "--set estimator.checkpoints=sqrt", "--set estimator.last=2",
        "--set estimator.shortest=2 --set estimator.last=2 --windows 4",
        "--set estimator.shortest=2 --windows 3",
        "--set estimator.type=reversible", "--set estimator.type=forward"}) {
    const Ended judged =
        program(folder.path(""), fmt::format("check d.json {}", how));
    CAPTURE(how, judged.output);
    CHECK(judged.code == 0);
  }
}

TEST_CASE("hypergradients pass through augmentation and learned networks",
          "[distillation]") {
  const TemporaryFolder folder;
  const auto check = [&](const Json& problem, const std::string& name) {
    folder.write("c.json",
                 Json{{"problem", problem},
                      {"hyperparameters", {{name, Json::object()}}},
                      {"inner", {{"type", "sgd"}, {"lr", 0.1}}},
                      {"estimator", {{"type", "unrolled"}, {"window", 3}}}}
                     .dump());
    const Ended judged = program(folder.path(""), "check c.json");
    CAPTURE(name, judged.output);
    CHECK(judged.code == 0);
  };
  const Json images = {
      {"type", "fashion_mnist"}, {"train", 40}, {"valid", 20}, {"test", 10}};
  const Json augment = {"translation", "brightness", "cutout", "noise"};
  check({{"type", "distillation"},
         {"data", images},
         {"examples", 4},
         {"valid_batch", 0},
         {"model",
          {{"type", "cnn"},
           {"channels", {2}},
           {"norm", "instance"},
           {"activation", "tanh"},
           {"pool", "average"},
           {"hidden", Json::array()},
           {"augment", augment}}}},
        "inputs");
  const Json network = {
      {"type", "mlp"}, {"hidden", {4}}, {"activation", "tanh"}};
  check({{"type", "classification"},
         {"data", images},
         {"model", network},
         {"weighting", network},
         {"batch", 10}},
        "weighting");
  check({{"type", "classification"},
         {"data", images},
         {"model", network},
         {"augmentation", {{"type", "unet"}, {"depth", 2}, {"channels", 2}}},
         {"batch", 10}},
        "augmentation");
}

TEST_CASE("learned networks start without an effect and have the one they say",
          "[distillation]") {
  const Json base = {
      {"type", "classification"},
      {"data",
       {{"type", "fashion_mnist"}, {"train", 20}, {"valid", 10}, {"test", 10}}},
      {"model", "logistic"},
      {"batch", 0}};
  const auto plain = problem_of(base);
  const ParameterSet w = plain->initial_weights({}, Key(2));
  const double loss = plain->train_loss(w, {}, Draw()).item<double>();

  Json changed = base;
  changed["augmentation"] = "unet";
  const auto augmented = problem_of(changed);
  ParameterSet hyper = augmented->initial_hyper();
  REQUIRE(hyper.size() == 1);
  CHECK(augmented->train_loss(w, hyper, Draw()).item<double>() ==
        Approx(loss).epsilon(1e-12));
  // The last number is the bias of the output: it is added to every pixel.
  Tensor vector = hyper.at("augmentation").clone();
  vector[-1] = 0.5;
  Tensor moved = w.tensors()[1].clone();
  moved += 0.5 * w.tensors()[0].sum(1);
  CHECK(augmented->train_loss(w, {{"augmentation", vector}}, Draw())
            .item<double>() ==
        Approx(plain->train_loss(w.with({w.tensors()[0], moved}), {}, Draw())
                   .item<double>()));
  // And to none that are used.
  CHECK(augmented->valid_loss(w, {{"augmentation", vector}}, Draw())
            .item<double>() == plain->valid_loss(w, {}, Draw()).item<double>());

  // Weights that are all alike are those of a mean.
  changed = base;
  changed["weighting"] = "logistic";
  const auto weighted = problem_of(changed);
  hyper = weighted->initial_hyper();
  CHECK(weighted->train_loss(w, hyper.zeros(), Draw()).item<double>() ==
        Approx(loss).epsilon(1e-12));
  // Others are softmax of sigmoid of a tenth of the network's answer, which the
  // gradient by the bias of the model shows: sum_i share_i (p_i - y_i).
  const double moved_loss =
      weighted->train_loss(w, 40.0 * hyper, Draw()).item<double>();
  CHECK(std::abs(moved_loss - loss) > 1e-6);
  CHECK(std::abs(moved_loss - loss) < (std::exp(1.0) - 1) * loss);
}

TEST_CASE("coresets are chosen as they say, the classes taking turns",
          "[distillation]") {
  const Splits data = splits();
  for (const std::string& name : CoresetRegistry::instance().names()) {
    if (name == "file" || name == "all") continue;
    CAPTURE(name);
    const SoftExamples got = made(name, data, 7);
    CHECK(got.inputs.sizes() == at::IntArrayRef({7, 4}));
    CHECK(at::equal(got.labels.argmax(1), classes_in_turn(7, 3)));
    CHECK(at::equal(got.labels.sum(1), at::ones({7}, float64())));
    CHECK(at::equal(made(name, data, 7).inputs, got.inputs));
    if (name == "noise" || name == "class_mean") continue;
    // Real examples of their class, none twice.
    for (std::int64_t i = 0; i < 7; ++i) {
      const Tensor rows = of_class(data, i % 3);
      CHECK((rows - got.inputs[i])
                .abs()
                .sum(1)
                .eq(0)
                .sum()
                .item<std::int64_t>() == 1);
      for (std::int64_t k = 0; k < i; ++k) {
        CHECK_FALSE(at::equal(got.inputs[k], got.inputs[i]));
      }
    }
    CHECK_THROWS_WITH(made(name, data, 3000),
                      ContainsSubstring("examples of class 0 are needed"));
  }
  const Json of_one_length = {{"type", "noise"}, {"unit_norm", true}};
  CHECK(at::allclose(made(of_one_length, data, 7).inputs.norm(2, 1),
                     at::ones({7}, float64())));
  const SoftExamples all = made("all", data, data.train.size());
  CHECK(at::equal(all.inputs, data.train.inputs));
  CHECK(at::equal(all.labels.argmax(1), data.train.targets));
  CHECK_THROWS_WITH(made("all", data, 7),
                    ContainsSubstring("real examples, not 7"));
  const Tensor means = made("class_mean", data, 3).inputs;
  for (std::int64_t c = 0; c < 3; ++c) {
    CHECK(at::allclose(means[c], of_class(data, c).mean(0)));
  }
  // Of two per class, each the mean of one half: their mean is that of all, if
  // their number is even.
  const Tensor halves = made("class_mean", data, 6).inputs;
  for (std::int64_t c = 0; c < 3; ++c) {
    const Tensor rows = of_class(data, c);
    if (rows.size(0) % 2 != 0) continue;
    CHECK(at::allclose(0.5 * (halves[c] + halves[c + 3]), rows.mean(0)));
  }
}

TEST_CASE("herding and centres do better than chance at what they are for",
          "[distillation]") {
  const Splits data = splits();
  constexpr std::int64_t kPerClass = 5;
  const auto distance_of_means = [&](const std::string& name) {
    const Tensor x = made(name, data, 3 * kPerClass).inputs;
    double sum = 0;
    for (std::int64_t c = 0; c < 3; ++c) {
      const Tensor mean = x.view({kPerClass, 3, 4}).select(1, c).mean(0);
      sum += (mean - of_class(data, c).mean(0)).norm().item<double>();
    }
    return sum;
  };
  CHECK(distance_of_means("herding") < 0.5 * distance_of_means("random"));
  // The largest distance of an example to the nearest chosen one.
  const auto radius = [&](const std::string& name) {
    const Tensor x = made(name, data, 3 * kPerClass).inputs;
    double most = 0;
    for (std::int64_t c = 0; c < 3; ++c) {
      const Tensor d =
          at::cdist(of_class(data, c), x.view({kPerClass, 3, 4}).select(1, c));
      most = std::max(most, std::get<0>(d.min(1)).max().item<double>());
    }
    return most;
  };
  CHECK(radius("k_center") < radius("random"));
  CHECK(radius("k_center") < radius("herding"));
}

TEST_CASE("pictures of learned examples fit any page and have even margins",
          "[distillation]") {
  const TemporaryFolder folder;
  // White images, so that every pixel of them is covered.
  const auto drawn = [](const std::vector<std::string>& classes) {
    return draw_examples({at::ones({6, 1, 4, 4}, at::kFloat),
                          at::eye(3, at::kFloat).repeat({2, 1}), classes});
  };
  folder.write("a.png", drawn({"cat", "dog", "bird"}));
  const Picture named(folder.path("a.png"));
  int left = named.width(), right = 0, top = named.height(), bottom = 0;
  for (int y = 0; y < named.height(); ++y) {
    for (int x = 0; x < named.width(); ++x) {
      if (named.opacity(x, y) == 0) continue;
      left = std::min(left, x);
      right = std::max(right, x);
      top = std::min(top, y);
      bottom = std::max(bottom, y);
    }
  }
  CHECK(left > 10);
  CHECK(named.width() - 1 - right == left);
  CHECK(named.height() - 1 - bottom == left);
  CHECK(top == Approx(left).margin(4));  // small letters end below

  // Classes by name, if there is one for each.
  const std::string numbers = drawn({});
  CHECK((drawn({"cat", "dog", "bird"}) != numbers));
  CHECK((drawn({"cat", "dog"}) == numbers));
  CHECK((drawn({"0", "1", "2"}) == numbers));
}

TEST_CASE("learned examples are written as other programs read them",
          "[distillation]") {
  const TemporaryFolder folder;
  const RunFolder out = RunFolder::create(folder.path("out"));
  const Tensor inputs =
      1.2 * Key(1).uniform(at::empty({7, 1, 5, 4}, at::kFloat)) - 0.1;
  const Tensor labels = Key(2).normal(at::empty({7, 3}, at::kFloat)).softmax(1);
  write_learned_examples(out, {inputs, labels});
  // NumPy's own reader, in another process.
  folder.write("read.py", R"(
import numpy, struct
a = numpy.load('out/distilled.npz')
print(a['inputs'].shape, a['inputs'].dtype, a['labels'].dtype, a['targets'].dtype)
a['inputs'].tofile('inputs.bin'); a['targets'].tofile('targets.bin')
raw = open('out/distilled-images-idx3-ubyte', 'rb').read()
print(struct.unpack('>4i', raw[:16]), len(raw))
want = numpy.rint(numpy.clip(a['inputs'], 0, 1) * 255).astype('uint8')
print((numpy.frombuffer(raw[16:], 'uint8') == want.ravel()).all())
raw = open('out/distilled-labels-idx1-ubyte', 'rb').read()
print(struct.unpack('>2i', raw[:8]), list(raw[8:]) == list(a['targets']))
numpy.savez_compressed('again.npz', inputs=a['inputs'], other=numpy.arange(3))
)");
  const std::string command = fmt::format(
      "cd '{}' && /usr/bin/python3 read.py > out.txt 2>&1", folder.path(""));
  REQUIRE(std::system(command.c_str()) == 0);
  CHECK(read_file(folder.path("out.txt")) ==
        "(7, 1, 5, 4) float32 float32 int64\n"
        "(2051, 7, 5, 4) 156\n"
        "True\n"
        "(2049, 7) True\n");
  const std::string raw = read_file(folder.path("inputs.bin"));
  REQUIRE(raw.size() == static_cast<std::size_t>(inputs.nbytes()));
  CHECK(std::memcmp(raw.data(), inputs.contiguous().data_ptr(), raw.size()) ==
        0);

  // And back, also from what NumPy has compressed.
  CHECK(at::equal(read_npz(folder.path("out/distilled.npz")).at("labels"),
                  labels));
  const auto again = read_npz(folder.path("again.npz"));
  CHECK(at::equal(again.at("inputs"), inputs));
  CHECK(again.at("other").numel() == 3);
  CHECK(std::filesystem::file_size(folder.path("out/distilled.png")) > 500);

  // The same bytes each time; damage is told.
  const std::string bytes = read_file(folder.path("out/distilled.npz"));
  write_learned_examples(out, {inputs, labels});
  CHECK(read_file(folder.path("out/distilled.npz")) == bytes);
  for (const std::size_t length :
       {std::size_t{0}, std::size_t{3}, bytes.size() / 2}) {
    folder.write("cut.npz", bytes.substr(0, length));
    CHECK_THROWS_AS(read_npz(folder.path("cut.npz")), Error);
  }
  std::string damaged = bytes;
  damaged[200] = static_cast<char>(damaged[200] ^ 1);
  folder.write("damaged.npz", damaged);
  CHECK_THROWS_WITH(read_npz(folder.path("damaged.npz")),
                    ContainsSubstring("damaged.npz"));
  CHECK_THROWS_WITH(read_npz(folder.path("none.npz")),
                    ContainsSubstring("there is no such file"));
}

}  // namespace nestgrad
