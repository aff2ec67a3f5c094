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

}  // namespace nestgrad
