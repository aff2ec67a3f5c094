#include <functional>

#include "core/nn/exported/archive.h"
#include "tests/core/nn/exported/archives.h"

namespace nestgrad {
namespace {

/// The reason for which a file is refused.
std::string refused(const std::string& file) {
  try {
    load_exported("mlp", {3}, {{"file", file}});
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("graphs that cannot be trained are refused with the reason",
          "[exported]") {
  const auto [name, reason] = GENERATE(table<std::string, std::string>(
      {{"cond", "higher-order operator 'cond'"},
       {"no_tape", "write .detach() instead"},
       {"custom", "nestgrad_tests.twice.default, which LibTorch"},
       {"two_outputs", "gives 2 results"},
       {"detached", "do not depend on the weights"},
       {"no_parameters", "no parameters that require gradients"}}));
  CHECK_THAT(refused(exported_file(name + ".pt2")), ContainsSubstring(reason));
}

TEST_CASE("other files of PyTorch are refused with the way to write one",
          "[exported]") {
  const TemporaryFolder folder;
  const auto zip = [&](const ZipEntries& entries) {
    return refused(folder.write("a.pt2", stored_zip(entries)));
  };
  CHECK_THAT(
      zip({{"serialized_exported_program.json", "{}"}, {"version", "5"}}),
      ContainsSubstring("PyTorch 2.7 or earlier") &&
          ContainsSubstring("torch.export.save(torch.export.export("));
  CHECK_THAT(zip({{"a/constants.pkl", ""}, {"a/data.pkl", ""}}),
             ContainsSubstring("the model \"torchscript\" reads"));
  CHECK_THAT(zip({{"a/data.pkl", ""}}),
             ContainsSubstring("was written by torch.save"));
  CHECK_THAT(zip({{"a/b", ""}}), ContainsSubstring("no archive of"));
  CHECK_THAT(refused(folder.write("b.pt2", "no zip")),
             ContainsSubstring("b.pt2"));
  const std::string model = "mlp/models/model.json";
  CHECK_THAT(refused(changed(folder, "mlp",
                             [&](ZipEntries& all) { all.erase(model); })),
             ContainsSubstring("no exported program"));
  CHECK_THAT(refused(changed(
                 folder, "mlp",
                 [](ZipEntries& all) { all["mlp/archive_version"] = "1"; })),
             ContainsSubstring("version 1"));
  CHECK_THAT(refused(changed(folder, "mlp",
                             [&](ZipEntries& all) {
                               Json json = Json::parse(all[model]);
                               json["schema_version"]["major"] = 9;
                               all[model] = json.dump();
                             })),
             ContainsSubstring("version 9.20 (PyTorch 2.14") &&
                 ContainsSubstring("an earlier PyTorch"));
}

TEST_CASE("damage in an archive is reported where it is", "[exported]") {
  const TemporaryFolder folder;
  CHECK_THAT(refused(changed(folder, "mlp",
                             [](ZipEntries& all) {
                               all["mlp/data/weights/weight_0"].resize(76);
                             })),
             ContainsSubstring(
                 "'first.weight': it needs 20 numbers, but 19 are stored"));
  const auto with = [&](const char* pointer, const Json& value) {
    return refused(changed(folder, "mlp", [&](ZipEntries& all) {
      Json json = Json::parse(all["mlp/models/model.json"]);
      json[Json::json_pointer(pointer)] = value;
      all["mlp/models/model.json"] = json.dump();
    }));
  };
  const std::string node = "/graph_module/graph/nodes/1";
  CHECK_THAT(with((node + "/inputs/0/arg").c_str(),
                  {{"as_tensor", {{"name", "later"}}}}),
             ContainsSubstring("'later' is used before it is computed"));
  CHECK_THAT(with((node + "/inputs/0/arg").c_str(), {{"as_string", "x"}}),
             ContainsSubstring("aten.tanh.default: its argument 'self' is not "
                               "of the type Tensor"));
  CHECK_THAT(with("/graph_module/graph/tensor_values/tanh/sizes/1/as_int", 6),
             ContainsSubstring("aten.tanh.default fails: the result has the "
                               "shape [2, 5], but when exported"));
  CHECK_THAT(with((node + "/inputs/0/name").c_str(), "other"),
             ContainsSubstring("an argument 'other', which LibTorch"));
  CHECK_THAT(with((node + "/target").c_str(), "torch.ops.aten.tan.no"),
             ContainsSubstring("aten.tan.no, which LibTorch"));
}

TEST_CASE("parameters of an exported network may be parts of one vector",
          "[exported]") {
  const TemporaryFolder folder;
  // `shift`: how far the second begins before the end of the first.
  const auto in_one_vector = [&](std::int64_t shift) {
    return changed(folder, "mlp", [&](ZipEntries& all) {
      const std::string data = "mlp/data/weights/";
      Json json = Json::parse(all[data + "model_weights_config.json"]);
      std::string bytes = all[data + "weight_0"];
      for (const auto& [name, place] : {std::pair("first.bias", "weight_1"),
                                        std::pair("last.weight", "weight_2"),
                                        std::pair("last.bias", "weight_3")}) {
        Json& entry = json["config"][name];
        const auto begin = static_cast<std::int64_t>(bytes.size() / 4);
        entry["path_name"] = "weight_0";
        entry["tensor_meta"]["storage_offset"]["as_int"] = begin - shift;
        bytes += all[data + place];
      }
      all[data + "weight_0"] = bytes;
      all[data + "model_weights_config.json"] = json.dump();
    });
  };
  const auto model =
      load_exported("mlp", {3}, {{"file", in_one_vector(/*shift=*/0)}});
  const ParameterSet w = model->initial_weights(Key());
  CHECK(w.size() == 4);
  CHECK(at::allclose(model->forward(w, exported_input("mlp"), Pass()),
                     expected_outputs().at("mlp.output"), 1e-5, 1e-6));
  CHECK_THROWS_WITH(
      load_exported("mlp", {3}, {{"file", in_one_vector(/*shift=*/1)}}),
      ContainsSubstring("are different views of the same numbers"));
}

TEST_CASE("operators that rely on their callers are refused", "[exported]") {
  const TemporaryFolder folder;
  const auto with_target = [&](const std::string& name) {
    return changed(folder, "mlp", [&](ZipEntries& all) {
      Json json = Json::parse(all["mlp/models/model.json"]);
      json["graph_module"]["graph"]["nodes"][1]["target"] =
          "torch.ops.aten." + name;
      all["mlp/models/model.json"] = json.dump();
    });
  };
  for (const char* name :
       {"_reshape_alias.default", "resize_.default", "set_.source_Tensor",
        "max_pool2d_with_indices_backward.default", "from_file.default"}) {
    CAPTURE(name);
    CHECK_THAT(refused(with_target(name)),
               ContainsSubstring("which is not for networks"));
  }
  // This one exports consist of, and it lacks arguments only.
  CHECK_THAT(refused(with_target("_softmax.default")),
             ContainsSubstring("its argument 'dim' is missing"));
}

TEST_CASE(
    "tensors of an archive that are larger than their numbers are bounded",
    "[exported]") {
  const TemporaryFolder folder;
  const auto shaped = [&](const std::vector<std::int64_t>& sizes,
                          std::int64_t stride) {
    return changed(folder, "mlp", [&](ZipEntries& all) {
      const std::string name = "mlp/data/weights/model_weights_config.json";
      Json json = Json::parse(all[name]);
      for (const char* tensor : {"first.weight", "first.bias"}) {
        Json& meta = json["config"][tensor]["tensor_meta"];
        json["config"][tensor]["path_name"] = "weight_0";
        meta["sizes"] = meta["strides"] = Json::array();
        for (const std::int64_t size : sizes) {
          meta["sizes"].push_back({{"as_int", size}});
          meta["strides"].push_back({{"as_int", stride}});
        }
      }
      all[name] = json.dump();
    });
  };
  const auto read = [&](const std::vector<std::int64_t>& sizes,
                        std::int64_t stride) {
    return read_exported_archive(shaped(sizes, stride)).weights;
  };
  const auto weights = read({30, 2}, 0);
  const Tensor expanded = weights.at("first.weight").value;
  CHECK(expanded.eq(expanded[0][0]).all().item<bool>());
  // Of one entry, whose numbers are in memory once.
  CHECK(expanded.is_alias_of(weights.at("first.bias").value));
  CHECK_THROWS_WITH(read({1 << 13, 1 << 12}, 0),
                    ContainsSubstring("it repeats the 20 numbers"));
  CHECK_THROWS_WITH(read({0, std::int64_t{1} << 40, std::int64_t{1} << 40}, 1),
                    ContainsSubstring("is impossible"));
}

TEST_CASE("whatever an exported network fails with, its file is named",
          "[exported]") {
  const TemporaryFolder folder;
  const auto with = [&](const std::function<void(Json&)>& change) {
    return refused(changed(folder, "mlp", [&](ZipEntries& all) {
      Json json = Json::parse(all["mlp/models/model.json"]);
      change(json["graph_module"]["graph"]);
      all["mlp/models/model.json"] = json.dump();
    }));
  };
  const std::string huge = with([](Json& graph) {
    Json& node = graph["nodes"][1];
    node["target"] = "torch.ops.aten.new_zeros.default";
    node["inputs"].push_back(
        {{"name", "size"},
         {"arg", {{"as_ints", {std::int64_t{1} << 40, std::int64_t{1} << 40}}}},
         {"kind", 1}});
  });
  CHECK_THAT(huge, ContainsSubstring("changed.pt2") &&
                       ContainsSubstring("more memory than there is"));
  CHECK_THAT(with([](Json& graph) {
               graph["tensor_values"]["x"]["sizes"] = Json::array();
             }),
             ContainsSubstring("changed.pt2': it takes a single number"));
}

}  // namespace nestgrad
