#include "core/config/float32.h"

#include <cmath>

#include "core/config/registry.h"

namespace nestgrad {
namespace {

/// Walks through a schema and a completed object together.
class Walk {
 public:
  explicit Walk(std::vector<Complaint>& complaints) : complaints_(complaints) {}

  void object(const Schema& schema, const Json& json,
              const std::string& pointer) {
    for (const KeySpec& key : schema.keys()) {
      const auto found = json.find(key.name);
      if (found == json.end()) continue;
      value(key, *found, join_pointer(pointer, key.name));
    }
  }

 private:
  using Kind = KeySpec::Kind;

  void value(const KeySpec& key, const Json& json, const std::string& pointer) {
    if (json.is_number()) {
      number(key, json.get<double>(), pointer);
    } else if (json.is_array()) {
      for (std::size_t i = 0; i < json.size(); ++i) {
        value(key, json[i], join_pointer(pointer, std::to_string(i)));
      }
    } else if (json.is_object()) {
      members(key, json, pointer);
    }
  }

  void number(const KeySpec& key, double value, const std::string& pointer) {
    const bool real = key.kind == Kind::kNumber || key.kind == Kind::kNumbers ||
                      key.kind == Kind::kSetting;
    if (!real) return;
    const float rounded = static_cast<float>(value);
    const bool above_zero = key.range.low == 0 && key.range.open_low;
    const bool lost = value != 0 && rounded == 0 &&
                      (above_zero || key.kind == Kind::kSetting);
    if (!lost && std::isfinite(rounded)) return;
    complaints_.push_back(
        {pointer,
         fmt::format(
             "{} is {} in float32; take another number or \"precision\": "
             "\"float64\"",
             value, rounded)});
  }

  void members(const KeySpec& key, const Json& json,
               const std::string& pointer) {
    if (key.kind == Kind::kMap) {
      for (const auto& member : json.items()) {
        object(*key.schema, member.value(),
               join_pointer(pointer, member.key()));
      }
      return;
    }
    if (key.schema != nullptr) object(*key.schema, json, pointer);
    const RegistryBase* const types = key.types();
    if (types == nullptr || !json.contains("type")) return;
    const auto type = json["type"].get<std::string>();
    if (types->contains(type)) object(types->schema(type), json, pointer);
  }

  std::vector<Complaint>& complaints_;
};

}  // namespace

void refuse_beyond_float32(const Schema& schema, const Json& json,
                           const std::string& pointer,
                           std::vector<Complaint>& complaints) {
  Walk(complaints).object(schema, json, pointer);
}

}  // namespace nestgrad
