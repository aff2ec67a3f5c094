#include "core/nn/model.h"
#include "core/platform/files.h"
#include "tests/fuzz/damage.h"
#include "tests/fuzz/readers.h"
#include "tests/support/stored_zip.h"

namespace nestgrad {
namespace {

/// An archive of the tests, and the shapes that it is read with.
struct ArchiveCase {
  std::string name;
  Shape input, outputs;
};

const std::vector<ArchiveCase>& archives() {
  static const std::vector<ArchiveCase> all = {
      {"mlp", {4}, {3}},     {"cnn_eval", {1, 8, 8}, {3}},
      {"lstm", {5, 3}, {2}}, {"transformer", {6}, {6, 7}},
      {"modern", {4}, {2}},  {"shapes", {4}, {2}}};
  return all;
}

std::string bytes_of(const ArchiveCase& archive) {
  return read_file(NESTGRAD_SOURCE_DIR "/tests/core/nn/exported/archives/" +
                   archive.name + ".pt2");
}

/// The archive that `bytes` were made from; their names tell, or the first.
const ArchiveCase& origin(const std::string& bytes) {
  for (const ArchiveCase& archive : archives()) {
    if (bytes.find(archive.name + "/archive_format") != std::string::npos) {
      return archive;
    }
  }
  return archives().front();
}

/// Makes the model, which calls its network once.
std::function<void(const std::string&)> builds(const TemporaryFolder& folder) {
  return [&folder](const std::string& input) {
    const ArchiveCase& archive = origin(input);
    const Json section = {{"type", "exported"},
                          {"file", folder.write("network.pt2", input)}};
    (void)ModelRegistry::instance().make(section, archive.input,
                                         archive.outputs);
  };
}

/// Changes values of the JSON inside of an archive.
std::string with_other_values(const std::string& bytes, Random& random) {
  const TemporaryFolder folder;
  const ArchiveCase& archive = origin(bytes);
  ZipEntries entries = zip_entries(folder.write("a", bytes));
  if (below(random, 8) == 0) {
    std::string& weights =
        entries[archive.name + "/data/weights/model_weights_config.json"];
    weights = mutated(Json::parse(weights), random).dump();
    return stored_zip(entries);
  }
  std::string& text = entries[archive.name + "/models/model.json"];
  Json json = Json::parse(text);
  const std::size_t changes = 1 + below(random, 3);
  for (std::size_t i = 0; i < changes; ++i) {
    Json& module = json["graph_module"];
    Json& nodes = module["graph"]["nodes"];
    switch (below(random, 8)) {
      case 0:
        json = mutated(json, random);
        i = changes;  // its parts may be gone
        break;
      case 1:
        module["signature"] = mutated(module["signature"], random);
        break;
      case 2:  // another operator with the same arguments
        nodes[below(random, nodes.size())]["target"] =
            nodes[below(random, nodes.size())]["target"];
        break;
      default: {
        Json& node = nodes[below(random, nodes.size())];
        node["inputs"] = mutated(node["inputs"], random);
      }
    }
  }
  text = json.dump();
  return stored_zip(entries);
}

}  // namespace

std::vector<Reader> exported_readers(const TemporaryFolder& folder) {
  std::vector<std::string> seeds;
  for (const ArchiveCase& archive : archives())
    seeds.push_back(bytes_of(archive));
  Reader bytes{"exported network, bytes", seeds, builds(folder)};
  Reader values{"exported network, values", seeds, builds(folder),
                with_other_values};
  // Sizes may have become large, as may those of whatever is computed.
  bytes.may_want_memory = values.may_want_memory = true;
  return {bytes, values};
}

}  // namespace nestgrad
