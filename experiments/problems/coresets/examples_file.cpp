#include "experiments/problems/coresets/examples_file.h"

#include <fmt/format.h>
#include <torch/csrc/jit/serialization/pickle.h>

#include <filesystem>
#include <map>

#include "core/platform/error.h"
#include "core/platform/files.h"
#include "experiments/data/arrays/npy_file.h"
#include "experiments/data/arrays/npz_file.h"

namespace nestgrad {
namespace {

std::string extension(const std::string& path) {
  return std::filesystem::path(path).extension().string();
}

bool is_of_torch(const std::string& path) {
  return extension(path) == ".pt" || extension(path) == ".pth";
}

/// All tensors in a value, in its order.
void add_tensors(const c10::IValue& value, std::vector<Tensor>& to) {
  if (value.isTensor()) {
    to.push_back(value.toTensor());
  } else if (value.isTuple()) {
    for (const c10::IValue& one : value.toTupleRef().elements()) {
      add_tensors(one, to);
    }
  } else if (value.isList()) {
    for (const c10::IValue& one : value.toListRef()) add_tensors(one, to);
  } else if (value.isGenericDict()) {
    for (const auto& entry : value.toGenericDict()) {
      add_tensors(entry.value(), to);
    }
  }
}

/// The tensors in a file of torch.save.
std::vector<Tensor> saved_tensors(const std::string& path) {
  const std::string bytes = read_file(path);
  std::vector<Tensor> out;
  try {
    add_tensors(
        torch::jit::pickle_load(std::vector<char>(bytes.begin(), bytes.end())),
        out);
  } catch (const std::exception&) {
    throw Error(fmt::format(
        "'{}': is no file of torch.save that holds tensors on the CPU, alone "
        "or in lists, tuples and dictionaries; numpy.savez writes one that can "
        "be read",
        path));
  }
  return out;
}

/// The arrays of a .npz file, the first of these names that is there.
Tensor named(const std::map<std::string, Tensor>& arrays,
             const std::vector<std::string>& names, const std::string& path) {
  for (const std::string& name : names) {
    const auto found = arrays.find(name);
    if (found != arrays.end()) return found->second;
  }
  throw Error(fmt::format("'{}': has no array '{}'", path, names.front()));
}

bool are_labels(const Tensor& t, std::int64_t examples) {
  return t.dim() >= 1 && t.dim() <= 2 && t.size(0) == examples;
}

/// Labels in a file of their own.
Tensor read_labels(const std::string& path, std::int64_t examples) {
  const std::vector<Tensor> all = is_of_torch(path)
                                      ? saved_tensors(path)
                                      : std::vector<Tensor>{read_npy(path)};
  for (const Tensor& t : all) {
    if (are_labels(t, examples)) return t;
  }
  throw Error(
      fmt::format("'{}': has no labels for {} examples", path, examples));
}

}  // namespace

ExamplesInFile read_examples(const std::string& path,
                             const std::string& labels_path) {
  ExamplesInFile out;
  if (extension(path) == ".npz") {
    const auto arrays = read_npz(
        path, {"inputs", "images", "x", "data", "labels", "targets", "y"});
    out.inputs = named(arrays, {"inputs", "images", "x", "data"}, path);
    if (labels_path.empty()) {
      out.labels = named(arrays, {"labels", "targets", "y"}, path);
    }
  } else if (extension(path) == ".npy") {
    out.inputs = read_npy(path);
  } else {
    require(is_of_torch(path),
            "'{}': is neither .npz nor .npy nor .pt, by its name", path);
    for (const Tensor& t : saved_tensors(path)) {
      if (!out.inputs.defined()) {
        if (t.dim() >= 2) out.inputs = t;
      } else if (!out.labels.defined() && are_labels(t, out.inputs.size(0))) {
        out.labels = t;
      }
    }
    require(out.inputs.defined(), "'{}': has no tensor of two or more axes",
            path);
  }
  require(out.inputs.dim() >= 2 && out.inputs.size(0) > 0,
          "'{}': the inputs should be [examples, ...]", path);
  if (!labels_path.empty()) {
    out.labels = read_labels(labels_path, out.inputs.size(0));
  }
  require(out.labels.defined(),
          "'{}': has no labels; name the file that has them", path);
  return out;
}

}  // namespace nestgrad
