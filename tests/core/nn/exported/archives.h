#pragma once

#include <memory>
#include <string>

#include "core/nn/model.h"
#include "core/storage/safetensors.h"
#include "tests/support/program.h"
#include "tests/support/stored_zip.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {

/// A file that PyTorch has written; see exported/write_archives.py.
inline std::string exported_file(const std::string& name) {
  return NESTGRAD_SOURCE_DIR "/tests/core/nn/exported/archives/" + name;
}

/// The inputs and outputs that PyTorch has computed with the archives.
inline const ParameterSet& expected_outputs() {
  static const ParameterSet all =
      load_safetensors(exported_file("expected.safetensors"));
  return all;
}

inline Tensor exported_input(const std::string& name) {
  return expected_outputs().at(name + ".input");
}

/// The model of an archive, or of another file, for its expected input.
inline std::unique_ptr<Model> load_exported(const std::string& name,
                                            const Shape& outputs,
                                            Json keys = Json::object()) {
  keys["type"] = "exported";
  if (!keys.contains("file")) keys["file"] = exported_file(name + ".pt2");
  return ModelRegistry::instance().make(
      keys, exported_input(name).sizes().slice(1).vec(), outputs);
}

/// An archive whose expected output has the right shape.
inline std::unique_ptr<Model> load_exported(const std::string& name) {
  return load_exported(
      name, expected_outputs().at(name + ".output").sizes().slice(1).vec());
}

/// The same network as TorchScript, written by the PyTorch of this machine.
inline std::unique_ptr<Model> load_traced(const std::string& name,
                                          const Shape& outputs) {
  static const TemporaryFolder folder;
  static const bool written = [] {
    const Ended ended =
        shell(folder.path(""),
              fmt::format("/usr/bin/python3 -B {}/tests/core/nn/exported/"
                          "write_scripts.py .",
                          NESTGRAD_SOURCE_DIR));
    CAPTURE(ended.output);
    REQUIRE(ended.code == 0);
    return true;
  }();
  REQUIRE(written);
  return ModelRegistry::instance().make(
      Json{{"type", "torchscript"}, {"file", folder.path(name + ".pt")}},
      exported_input(name).sizes().slice(1).vec(), outputs);
}

/// The archive `name` with other entries, for which `change` is called.
template <class F>
std::string changed(const TemporaryFolder& folder, const std::string& name,
                    F&& change) {
  ZipEntries entries = zip_entries(exported_file(name + ".pt2"));
  change(entries);
  return folder.write("changed.pt2", stored_zip(entries));
}

}  // namespace nestgrad
