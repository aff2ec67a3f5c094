#include "core/config/json_schema.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "core/config/registry.h"

namespace nestgrad {
namespace {

/// Adds the limits of a range to the schema of a number.
Json within(Json schema, const Range& range) {
  if (std::isfinite(range.low)) {
    schema[range.open_low ? "exclusiveMinimum" : "minimum"] = range.low;
  }
  if (std::isfinite(range.high)) {
    schema[range.open_high ? "exclusiveMaximum" : "maximum"] = range.high;
  }
  return schema;
}

/// The key that says which type an object has.
const Json kType = Json::array({"type"});

Json number(const Range& range) { return within({{"type", "number"}}, range); }

Json integer(const Range& range) {
  // The limits of 64 bits.
  return within(
      {{"type", "integer"}, {"minimum", INT64_MIN}, {"maximum", INT64_MAX}},
      range);
}

Json any_of(Json first, Json second) {
  return {{"anyOf", {std::move(first), std::move(second)}}};
}

Json list_of(Json element) {
  return {{"type", "array"}, {"items", std::move(element)}};
}

class Writer {
 public:
  Json whole(const Schema& top) {
    Json out = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                {"title", "nestgrad"}};
    out.update(object(top));
    out["properties"]["$schema"] = {
        {"type", "string"},
        {"description", "The location of this schema, for editors."}};
    out["$defs"] = std::move(definitions_);
    return out;
  }

 private:
  Json object(const Schema& schema) {
    Json properties = Json::object(), required = Json::array();
    for (const KeySpec& key : schema.keys()) {
      properties[key.name] = described(key);
      if (key.required()) required.push_back(key.name);
    }
    Json out = {{"description", schema.meaning()},
                {"type", "object"},
                {"properties", properties},
                {"additionalProperties", false}};
    if (!required.empty()) out["required"] = required;
    return out;
  }

  Json described(const KeySpec& key) {
    Json out = {{"description", key.meaning}};
    if (!key.required() && !key.optional()) out["default"] = key.fallback;
    // The key's description is more specific than the value's.
    const Json rest = value(key);
    for (const auto& [name, part] : rest.items()) {
      if (!out.contains(name)) out[name] = part;
    }
    return out;
  }

  Json value(const KeySpec& key) {
    switch (key.kind) {
      case KeySpec::Kind::kInteger:
        return integer(key.range);
      case KeySpec::Kind::kNumber:
        return key.choices.empty()
                   ? number(key.range)
                   : any_of(number(key.range), {{"enum", key.choices}});
      case KeySpec::Kind::kBoolean:
        return {{"type", "boolean"}};
      case KeySpec::Kind::kText:
        return {{"type", "string"}};
      case KeySpec::Kind::kChoice:
        return {{"enum", key.choices}};
      case KeySpec::Kind::kIntegers:
        return list_of(integer(key.range));
      case KeySpec::Kind::kTexts:
        return list_of({{"type", "string"}});
      case KeySpec::Kind::kNumbers:
        return any_of(number(key.range), list_of(number(key.range)));
      case KeySpec::Kind::kSetting:
        return setting(key);
      case KeySpec::Kind::kObject:
        return key.registry == nullptr ? object(*key.schema) : typed(key);
      case KeySpec::Kind::kObjects:
        return list_of(typed(key));
      case KeySpec::Kind::kMap:
        return {{"type", "object"},
                {"additionalProperties", object(*key.schema)}};
      case KeySpec::Kind::kJson:
        return Json::object();
    }
    return Json::object();
  }

  Json setting(const KeySpec& key) {
    Json reference = {{"type", "string"}, {"pattern", "^\\$[\\s\\S]"}};
    Json out = any_of(number(key.range), std::move(reference));
    if (key.types() != nullptr) out["anyOf"].push_back(typed_object(key));
    return out;
  }

  /// An object of a registry, or the name of a type without required keys.
  Json typed(const KeySpec& key) {
    std::vector<std::string> short_names;
    for (const std::string& name : key.types()->names()) {
      const std::vector<KeySpec> keys = all_keys(key, name).keys();
      const bool needs_any =
          std::any_of(keys.begin(), keys.end(),
                      [](const KeySpec& k) { return k.required(); });
      if (!needs_any) short_names.push_back(name);
    }
    Json object = typed_object(key);
    if (short_names.empty()) return object;
    return any_of({{"enum", short_names}}, std::move(object));
  }

  Json typed_object(const KeySpec& key) {
    const RegistryBase& registry = *key.types();
    Json cases = Json::array();
    const auto add = [&](Json condition, const std::string& name) {
      cases.push_back({{"if", std::move(condition)},
                       {"then", {{"$ref", definition(key, name)}}}});
    };
    for (const std::string& name : registry.names()) {
      add({{"properties", {{"type", {{"const", name}}}}}, {"required", kType}},
          name);
    }
    Json out = {{"type", "object"},
                {"properties", {{"type", {{"enum", registry.names()}}}}}};
    const std::string by_default = key.default_type();
    if (by_default.empty()) {
      out["required"] = kType;
    } else {
      add({{"not", {{"required", kType}}}}, by_default);
    }
    out["allOf"] = std::move(cases);
    return out;
  }

  /// The keys of one type where `key` stands, except "type".
  static Schema all_keys(const KeySpec& key, const std::string& name) {
    Schema all = key.types()->schema(name);
    if (key.schema != nullptr) all.also(*key.schema);
    return all;
  }

  /// A reference to the definition of a type. The first call writes the
  /// definition; it may refer to itself.
  std::string definition(const KeySpec& key, const std::string& name) {
    const std::string id =
        fmt::format("{}{}.{}", key.schema == nullptr ? "" : key.name + ".",
                    key.types()->kind(), name);
    if (!definitions_.contains(id)) {
      definitions_[id] = nullptr;
      Json written = object(all_keys(key, name));
      written["properties"]["type"] = {{"const", name}};
      definitions_[id] = std::move(written);
    }
    return "#/$defs/" + id;
  }

  Json definitions_ = Json::object();
};

}  // namespace

Json json_schema(const Schema& top) { return Writer().whole(top); }

}  // namespace nestgrad
