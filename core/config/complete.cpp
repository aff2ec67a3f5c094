#include <fmt/ranges.h>

#include <cmath>
#include <cstdint>
#include <map>
#include <optional>

#include "core/config/registry.h"
#include "core/config/schema.h"
#include "core/platform/text.h"

namespace nestgrad {
namespace {

// A value as a message shows it; for lists and objects only the kind.
std::string shown(const Json& json) {
  if (json.is_object()) return "an object";
  if (json.is_array()) return "a list";
  constexpr std::size_t kLongest = 60;
  std::string text = to_line(json);
  if (text.size() <= kLongest) return text;
  std::size_t length = kLongest;
  // Do not cut within a UTF-8 character.
  while (continues_character(text[length])) --length;
  return text.substr(0, length) + "...";
}

std::string must_be(const std::string& expected, const Json& met) {
  const bool has_parts = expected.find(',') != std::string::npos;
  return fmt::format("must be {}{} is {}", expected, has_parts ? ";" : ",",
                     shown(met));
}

// "there are: a, b, c"
std::string there_are(const std::vector<std::string>& names) {
  return names.empty() ? std::string("there are none")
                       : fmt::format("there are: {}", fmt::join(names, ", "));
}

std::string did_you_mean(const std::string& word,
                         const std::vector<std::string>& candidates) {
  const std::string near = nearest(word, candidates);
  return near.empty() ? "" : fmt::format("; did you mean '{}'?", near);
}

std::string no_such_key(const std::string& name, const Schema& schema) {
  std::vector<std::string> names;
  for (const KeySpec& key : schema.keys()) names.push_back(key.name);
  const std::string suggestion = did_you_mean(name, names);
  return fmt::format("there is no key '{}' here", name) +
         (suggestion.empty() ? "; " + there_are(names) : suggestion);
}

std::string no_such_type(const std::string& name,
                         const RegistryBase& registry) {
  const std::string suggestion = did_you_mean(name, registry.names());
  std::string types = there_are(registry.names());
  if (!suggestion.empty()) types[0] = 'T';
  return fmt::format("there is no {} '{}'{} {}", registry.noun(), name,
                     suggestion.empty() ? ";" : suggestion, types);
}

std::string missing(const KeySpec& key) {
  const std::string what =
      fmt::format("is missing (expected: {})", key.expects());
  return key.registry == nullptr
             ? what
             : what + "; " + there_are(key.registry->names());
}

const KeySpec* find(const Schema& schema, const std::string& name) {
  for (const KeySpec& key : schema.keys()) {
    if (key.name == name) return &key;
  }
  return nullptr;
}

// The integer equal to a JSON number, which may be written 3, 3.0 or 3e0.
std::optional<std::int64_t> whole(const Json& json) {
  if (json.is_number_unsigned()) {
    const auto value = json.get<std::uint64_t>();
    if (value >> 63 != 0) return std::nullopt;
    return static_cast<std::int64_t>(value);
  }
  if (json.is_number_integer()) return json.get<std::int64_t>();
  constexpr double kTwoTo63 = 9223372036854775808.0;
  const double value = json.get<double>();
  const bool fits = value >= -kTwoTo63 && value < kTwoTo63;
  if (!fits || std::floor(value) != value) return std::nullopt;
  return static_cast<std::int64_t>(value);
}

// Walks through schema and JSON together. Every function returns its part of
// the JSON completed, or null if it has a mistake.
class Checker {
 public:
  explicit Checker(std::vector<Complaint>& complaints)
      : complaints_(complaints) {}

  Json object(const Schema& schema, const Json& json,
              const std::string& pointer) {
    if (!json.is_object()) return refuse(pointer, must_be("an object", json));
    std::map<std::string, Json> given;
    for (const auto& member : json.items()) {
      const std::string place = join_pointer(pointer, member.key());
      const KeySpec* key = find(schema, member.key());
      if (key != nullptr) {
        given[member.key()] = value(*key, member.value(), place);
      } else if (place != "/$schema") {
        refuse(place, no_such_key(member.key(), schema));
      } else if (!member.value().is_string()) {
        refuse(place, must_be("a string", member.value()));
      }
    }
    Json completed = Json::object();
    for (const KeySpec& key : schema.keys()) {
      const std::string place = join_pointer(pointer, key.name);
      if (given.count(key.name) > 0) {
        completed[key.name] = std::move(given[key.name]);
      } else if (key.required()) {
        refuse(place, missing(key));
      } else if (!key.optional()) {
        completed[key.name] = value(key, key.fallback, place);
      }
    }
    return completed;
  }

  // Any value of `key`.
  Json value(const KeySpec& key, const Json& json, const std::string& pointer) {
    const auto unless = [&](bool fits) {
      return fits ? json : refuse(pointer, must_be(key.expects(), json));
    };
    switch (key.kind) {
      case KeySpec::Kind::kInteger:
        return integer(key, json, pointer);
      case KeySpec::Kind::kNumber:
        if (json.is_string() && !key.choices.empty()) {
          return choice(key, json, pointer);
        }
        return number(key, json, pointer);
      case KeySpec::Kind::kBoolean:
        return unless(json.is_boolean());
      case KeySpec::Kind::kText:
        return unless(json.is_string());
      case KeySpec::Kind::kChoice:
        return choice(key, json, pointer);
      case KeySpec::Kind::kIntegers:
        return list(key, KeySpec::Kind::kInteger, json, pointer);
      case KeySpec::Kind::kTexts:
        return list(key, KeySpec::Kind::kText, json, pointer);
      case KeySpec::Kind::kNumbers:
        return json.is_number()
                   ? number(key, json, pointer)
                   : list(key, KeySpec::Kind::kNumber, json, pointer);
      case KeySpec::Kind::kSetting:
        return setting(key, json, pointer);
      case KeySpec::Kind::kObject:
        return key.registry == nullptr ? object(*key.schema, json, pointer)
                                       : typed(key, json, pointer);
      case KeySpec::Kind::kObjects:
        return list(key, KeySpec::Kind::kObject, json, pointer);
      case KeySpec::Kind::kMap:
        return map(key, json, pointer);
      case KeySpec::Kind::kJson:
        return json;
    }
    return json;
  }

 private:
  Json integer(const KeySpec& key, const Json& json,
               const std::string& pointer) {
    const auto value = json.is_number() ? whole(json) : std::nullopt;
    if (!value) return refuse(pointer, must_be(key.expects(), json));
    if (!key.range.contains(static_cast<double>(*value))) {
      return refuse(pointer, must_be(key.range.describe(), json));
    }
    return *value;
  }

  Json number(const KeySpec& key, const Json& json,
              const std::string& pointer) {
    const bool is_number =
        json.is_number() && std::isfinite(json.get<double>());
    if (!is_number) return refuse(pointer, must_be(key.expects(), json));
    if (key.range.contains(json.get<double>())) return json;
    return refuse(pointer, must_be(key.range.describe(), json));
  }

  Json choice(const KeySpec& key, const Json& json,
              const std::string& pointer) {
    for (const std::string& choice : key.choices) {
      if (json == choice) return json;
    }
    std::string what = must_be(key.expects(), json);
    if (json.is_string()) {
      what += did_you_mean(json.get<std::string>(), key.choices);
    }
    return refuse(pointer, what);
  }

  Json setting(const KeySpec& key, const Json& json,
               const std::string& pointer) {
    if (json.is_number()) return number(key, json, pointer);
    if (json.is_object() && key.types() != nullptr) {
      return typed(key, json, pointer);
    }
    const bool is_name = json.is_string() && json != "$" &&
                         json.get_ref<const std::string&>().rfind('$', 0) == 0;
    return is_name ? json : refuse(pointer, must_be(key.expects(), json));
  }

  // A list of values as `key` would hold if its kind were `element`.
  Json list(const KeySpec& key, KeySpec::Kind element, const Json& json,
            const std::string& pointer) {
    if (!json.is_array()) return refuse(pointer, must_be(key.expects(), json));
    KeySpec each = key;
    each.kind = element;
    Json completed = Json::array();
    for (std::size_t i = 0; i < json.size(); ++i) {
      const std::string place = join_pointer(pointer, std::to_string(i));
      completed.push_back(value(each, json[i], place));
    }
    return completed;
  }

  Json map(const KeySpec& key, const Json& json, const std::string& pointer) {
    if (!json.is_object()) return refuse(pointer, must_be("an object", json));
    Json completed = Json::object();
    for (const auto& member : json.items()) {
      completed[member.key()] = object(*key.schema, member.value(),
                                       join_pointer(pointer, member.key()));
    }
    return completed;
  }

  // An object of a registry, or a string that is short for one.
  Json typed(const KeySpec& key, const Json& json, const std::string& pointer) {
    const RegistryBase& registry = *key.types();
    if (!json.is_string() && !json.is_object()) {
      return refuse(pointer, must_be(key.expects(), json));
    }
    Json given = json.is_string() ? Json{{"type", json}} : json;
    const std::string by_default = key.default_type();
    if (!given.contains("type") && !by_default.empty()) {
      given["type"] = by_default;
    }
    const std::string place =
        json.is_string() ? pointer : join_pointer(pointer, "type");
    const std::string expected = "the name of " + registry.a_noun();
    if (!given.contains("type")) {
      return refuse(place, fmt::format("is missing (expected: {}); {}",
                                       expected, there_are(registry.names())));
    }
    if (!given["type"].is_string()) {
      return refuse(place, must_be(expected, given["type"]));
    }
    const auto name = given["type"].get<std::string>();
    if (!registry.contains(name)) {
      return refuse(place, no_such_type(name, registry));
    }
    Schema all_keys("");
    all_keys.text("type", kRequired, "").also(registry.schema(name));
    if (key.schema != nullptr) all_keys.also(*key.schema);
    return object(all_keys, given, pointer);
  }

 private:
  Json refuse(const std::string& pointer, std::string what) {
    complaints_.push_back({pointer, std::move(what)});
    return nullptr;
  }

  std::vector<Complaint>& complaints_;
};

}  // namespace

Json complete(const Schema& schema, const Json& json,
              const std::string& pointer, std::vector<Complaint>& complaints) {
  return Checker(complaints).object(schema, json, pointer);
}

Json complete(const Schema& schema, const Json& json) {
  std::vector<Complaint> complaints;
  Json completed = complete(schema, json, "", complaints);
  if (!complaints.empty()) throw ConfigError(std::move(complaints));
  return completed;
}

Json complete(const RegistryBase& registry, const Json& json) {
  KeySpec key{"", KeySpec::Kind::kObject, "", kRequired};
  key.registry = &registry;
  std::vector<Complaint> complaints;
  Json completed = Checker(complaints).value(key, json, "");
  if (!complaints.empty()) throw ConfigError(std::move(complaints));
  return completed;
}

}  // namespace nestgrad
