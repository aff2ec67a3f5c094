#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/config/config.h"
#include "core/config/schema.h"
#include "core/platform/error.h"

namespace nestgrad {

/// The common part of all registries: names, and a schema for each name.
class RegistryBase {
 public:
  RegistryBase(const RegistryBase&) = delete;
  RegistryBase& operator=(const RegistryBase&) = delete;

  /// The plural noun for its objects: "estimators".
  const std::string& kind() const { return kind_; }

  /// The singular noun, without and with its article: "estimator", "an
  /// estimator".
  std::string noun() const;
  std::string a_noun() const;

  std::vector<std::string> names() const;
  bool contains(const std::string& name) const {
    return schemas_.count(name) > 0;
  }

  /// The keys of this type, including the common ones. REQUIRES contains(name).
  Schema schema(const std::string& name) const;

  /// Every registry that was used so far in this process, by kind. May be
  /// called before main().
  static const std::map<std::string, const RegistryBase*>& all();

  /// One sentence for each registration under a name that was taken. These
  /// registrations have no effect; the program, or whatever loads a plugin,
  /// must refuse to go on. (They happen where no exception could be caught.)
  static const std::vector<std::string>& clashes();

 protected:
  using SchemaFunction = Schema (*)();

  RegistryBase(std::string kind, SchemaFunction common);
  ~RegistryBase() = default;

  /// Returns false if the name is taken.
  bool add_schema(const std::string& name, SchemaFunction schema);

 private:
  std::string kind_;
  SchemaFunction common_;  // null if there are no common keys
  std::map<std::string, SchemaFunction> schemas_;
};

namespace internal {
template <class T, class = void>
struct HasCommonSchema : std::false_type {};
template <class T>
struct HasCommonSchema<T, std::void_t<decltype(T::common_schema())>>
    : std::true_type {};
}  // namespace internal

/// Makes objects of one interface from configuration, by name.
///
/// `Interface` has a `static constexpr const char* kKind`, the plural noun for
/// its objects. It may have a `static Schema common_schema()` with keys that
/// all of its types share. A registered class `C` has a `static Schema
/// schema()` and a constructor from (const Config&, Args...).
///
/// A registration is a static object in the class's own .cpp file, so adding a
/// class changes no other file.
template <class Interface, class... Args>
class [[gnu::visibility("default")]] Registry : public RegistryBase {
 public:
  static Registry& instance() {
    static Registry registry;
    return registry;
  }

  /// Returns false, and changes nothing, if the name is taken.
  template <class C>
  bool add(const std::string& name) {
    if (!add_schema(name, &C::schema)) return false;
    factories_[name] = [](const Config& config, Args... args) {
      return std::unique_ptr<Interface>(
          std::make_unique<C>(config, std::forward<Args>(args)...));
    };
    return true;
  }

  /// Makes the object that a checked configuration describes.
  std::unique_ptr<Interface> make(const Config& config, Args... args) const {
    const auto found = factories_.find(config.type());
    require(found != factories_.end(), "{}: there is no '{}'", kind(),
            config.type());
    return found->second(config, std::forward<Args>(args)...);
  }

  /// Checks and completes `json` first. For code and tests without a
  /// configuration file.
  std::unique_ptr<Interface> make(const Json& json, Args... args) const {
    return make(Config(complete(*this, json)), std::forward<Args>(args)...);
  }

 private:
  Registry() : RegistryBase(Interface::kKind, common()) {}

  static SchemaFunction common() {
    if constexpr (internal::HasCommonSchema<Interface>::value) {
      return &Interface::common_schema;
    } else {
      return nullptr;
    }
  }

  std::map<std::string,
           std::function<std::unique_ptr<Interface>(const Config&, Args...)>>
      factories_;
};

}  // namespace nestgrad

/// Place after the class, in its .cpp file and inside namespace nestgrad:
///   NESTGRAD_REGISTER(EstimatorRegistry, "unrolled", Unrolled)
#define NESTGRAD_REGISTER(RegistryType, name, Class)      \
  [[maybe_unused]] static const bool registered_##Class = \
      RegistryType::instance().template add<Class>(name);
