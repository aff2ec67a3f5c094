#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/tensor/key.h"
#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// Saves or restores the state of an object. A class lists its state once, in
/// persist(); the list serves both directions:
///
///   void persist(Archive& a) { a("run", run_); a("drift", drift_); }
///
/// Names are joined by "/" into paths. A path is unique within an archive.
class Archive {
 public:
  virtual ~Archive() = default;

  /// True while restoring, false while saving.
  virtual bool restoring() const = 0;

  void operator()(const std::string& name, ParameterSet& value);
  void operator()(const std::string& name, std::int64_t& value);
  void operator()(const std::string& name, double& value);
  void operator()(const std::string& name, std::string& value);
  void operator()(const std::string& name, bool& value);  ///< as 0 or 1
  void operator()(const std::string& name, Key& value);   ///< as its bits
  void operator()(const std::string& name,
                  std::map<std::string, double>& value);

  template <class T>
  auto operator()(const std::string& name, T& value)
      -> decltype(value.persist(*this)) {
    const std::string outer = path_;
    path_ = joined(name);
    value.persist(*this);
    path_ = outer;
  }

  /// A list of objects with a default constructor.
  template <class T>
  auto operator()(const std::string& name, std::vector<T>& values)
      -> decltype(values.front().persist(*this)) {
    auto size = static_cast<std::int64_t>(values.size());
    (*this)(name + "/size", size);
    if (restoring()) values.assign(static_cast<std::size_t>(size), T{});
    for (std::int64_t i = 0; i < size; ++i) {
      (*this)(name + "/" + std::to_string(i),
              values[static_cast<std::size_t>(i)]);
    }
  }

 private:
  virtual void visit(const std::string& path, ParameterSet& value) = 0;
  virtual void visit(const std::string& path, std::int64_t& value) = 0;
  virtual void visit(const std::string& path, double& value) = 0;
  virtual void visit(const std::string& path, std::string& value) = 0;

  std::string joined(const std::string& name) const {
    return path_.empty() ? name : path_ + "/" + name;
  }

  std::string path_;
};

/// The state of an object, in memory.
struct Snapshot {
  std::map<std::string, ParameterSet> sets;
  std::map<std::string, std::int64_t> integers;
  std::map<std::string, double> numbers;
  std::map<std::string, std::string> texts;

  /// For saving: lists the entries of the object, in whose place it stands.
  void persist(Archive& archive);
};

/// Whether a snapshot copies tensors or shares them with the object. The object
/// must not write into shared tensors while the snapshot lives.
enum class Tensors { kCopied, kShared };

/// Takes a snapshot of an object.
template <class T>
Snapshot save(T& object, Tensors tensors = Tensors::kCopied);

/// Restores an object. Throws Error, naming the path, if the snapshot lacks an
/// entry that the object lists.
template <class T>
void restore(T& object, const Snapshot& snapshot);

class SavingArchive : public Archive {
 public:
  explicit SavingArchive(Tensors tensors) : tensors_(tensors) {}
  bool restoring() const override { return false; }
  Snapshot take() { return std::move(snapshot_); }

 private:
  void visit(const std::string& path, ParameterSet& value) override;
  void visit(const std::string& path, std::int64_t& value) override;
  void visit(const std::string& path, double& value) override;
  void visit(const std::string& path, std::string& value) override;

  Tensors tensors_;
  Snapshot snapshot_;
};

class RestoringArchive : public Archive {
 public:
  explicit RestoringArchive(const Snapshot& snapshot) : snapshot_(snapshot) {}
  bool restoring() const override { return true; }

 private:
  void visit(const std::string& path, ParameterSet& value) override;
  void visit(const std::string& path, std::int64_t& value) override;
  void visit(const std::string& path, double& value) override;
  void visit(const std::string& path, std::string& value) override;

  const Snapshot& snapshot_;
};

template <class T>
Snapshot save(T& object, Tensors tensors) {
  SavingArchive archive(tensors);
  object.persist(archive);
  return archive.take();
}

template <class T>
void restore(T& object, const Snapshot& snapshot) {
  RestoringArchive archive(snapshot);
  object.persist(archive);
}

}  // namespace nestgrad
