#pragma once

#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/config/json_file.h"
#include "core/platform/error.h"

namespace nestgrad {

class RegistryBase;
class Schema;

/// An interval of allowed numbers.
struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool open_low = false;   ///< `low` itself is not allowed
  bool open_high = false;  ///< `high` itself is not allowed

  bool contains(double value) const;

  /// "at least 1", "above 0", "from 0 to 1", "at least 0 and below 1";
  /// "" if everything is allowed.
  std::string describe() const;
};

inline Range any() { return {}; }
inline Range at_least(double low) { return {low, any().high, false, false}; }
inline Range above(double low) { return {low, any().high, true, false}; }
inline Range from_to(double low, double high) {
  return {low, high, false, false};
}
/// low <= x < high, for a momentum or a rate.
inline Range from_below(double low, double high) {
  return {low, high, false, true};
}

/// As a default: the key must be given.
extern const Json kRequired;
/// As a default: the key may be left out and then has no value.
extern const Json kAbsent;

/// One key of a JSON object: what it means and what it may hold.
struct KeySpec {
  enum class Kind {
    kInteger,   ///< a whole number in `range`
    kNumber,    ///< a number in `range`, or one of `choices`
    kBoolean,   ///< true or false
    kText,      ///< a string
    kChoice,    ///< one of `choices`
    kIntegers,  ///< a list of whole numbers in `range`
    kTexts,     ///< a list of strings
    kNumbers,   ///< a number in `range`, or a list of such numbers
    kSetting,   ///< a number in `range`, "$hyperparameter", or an object of
                ///< `registry` (a schedule)
    kObject,    ///< an object of `registry`, chosen by "type" (by default, the
                ///< type of the default), which may also hold the keys of
    ///< `schema`; without a registry, an object described by `schema`
    kObjects,  ///< a list of objects of `registry`
    kMap,      ///< an object with free keys, each value described by `schema`
    kJson      ///< any value
  };

  std::string name;
  Kind kind = Kind::kText;
  std::string meaning;  ///< one or two sentences for users, with units
  Json fallback;        ///< the default, kRequired or kAbsent
  Range range = {};
  std::vector<std::string> choices = {};
  const RegistryBase* registry = nullptr;
  std::shared_ptr<const Schema> schema = nullptr;

  bool required() const { return fallback.is_discarded(); }
  bool optional() const { return fallback.is_null(); }

  /// The registry of the objects that may stand here: "schedules" for a
  /// setting. Null if there is none.
  const RegistryBase* types() const;

  /// The type of an object without a "type": that of the default. "" if "type"
  /// must be given.
  std::string default_type() const;

  /// The allowed values in words: "a whole number, at least 1".
  std::string expects() const;
};

/// The keys that a JSON object may hold. Every type that is made from JSON
/// declares its keys once. Reading, checking, defaults and `nestgrad explain`
/// all use this declaration:
///
///   static Schema schema() {
///     return Schema("Truncated Neumann series.")
///         .integer("terms", 10, "Hessian products: one less than summands",
///                  at_least(0));
///   }
class Schema {
 public:
  /// `meaning` describes the object in one or two sentences.
  explicit Schema(std::string meaning);

  Schema& integer(std::string name, Json fallback, std::string meaning,
                  Range range = any());
  Schema& number(std::string name, Json fallback, std::string meaning,
                 Range range = any(), std::vector<std::string> or_words = {});
  Schema& boolean(std::string name, Json fallback, std::string meaning);
  Schema& text(std::string name, Json fallback, std::string meaning);
  Schema& choice(std::string name, Json fallback, std::string meaning,
                 std::vector<std::string> choices);
  Schema& integers(std::string name, Json fallback, std::string meaning,
                   Range range = any());
  Schema& numbers(std::string name, Json fallback, std::string meaning,
                  Range range = any());

  /// A list of strings.
  Schema& texts(std::string name, Json fallback, std::string meaning);

  /// A number of a training rule; see core/setting.h.
  Schema& setting(std::string name, Json fallback, std::string meaning,
                  Range range = any());

  /// One object of a registry. The string "x" is short for {"type": "x"}.
  Schema& object(std::string name, const RegistryBase& registry, Json fallback,
                 std::string meaning);
  /// The same, with keys in addition to those of the type.
  Schema& object(std::string name, const RegistryBase& registry, Json fallback,
                 std::string meaning, Schema also);
  Schema& objects(std::string name, const RegistryBase& registry, Json fallback,
                  std::string meaning);

  /// An object with fixed keys (section) or with free keys (map).
  Schema& section(std::string name, Schema schema, Json fallback,
                  std::string meaning);
  Schema& map(std::string name, Schema value, Json fallback,
              std::string meaning);

  /// Any value. The code that reads it reports mistakes in it.
  Schema& json(std::string name, Json fallback, std::string meaning);

  /// A hyperparameter that objects of this type read, for `nestgrad explain`.
  /// `meaning`: one sentence, with units.
  Schema& tunes(std::string name, std::string meaning);

  /// Appends the keys and hyperparameters of another schema. Throws Error, like
  /// all of the above, if a key of this name exists already.
  Schema& also(const Schema& other);

  const std::string& meaning() const { return meaning_; }
  const std::vector<KeySpec>& keys() const& { return keys_; }
  std::vector<KeySpec> keys() && { return std::move(keys_); }

  /// Names and meanings of hyperparameters.
  const std::vector<std::pair<std::string, std::string>>& tuned() const& {
    return tuned_;
  }

 private:
  Schema& add(KeySpec key);

  std::string meaning_;
  std::vector<KeySpec> keys_;
  std::vector<std::pair<std::string, std::string>> tuned_;
};

/// Returns `json` with every default filled in, in the order of the schema.
///
/// Every mistake is appended to `complaints`: an unknown key (with the nearest
/// known one), a wrong type, a value out of range, a missing key, an unknown
/// type name. The rest is completed all the same.
Json complete(const Schema& schema, const Json& json,
              const std::string& pointer, std::vector<Complaint>& complaints);

/// The same, but throws ConfigError with all complaints.
Json complete(const Schema& schema, const Json& json);

/// The same for one object of a registry, or a string short for one.
Json complete(const RegistryBase& registry, const Json& json);

/// The candidate nearest to a misspelt word; "" if none is near. Near means:
/// few letters differ, or one word begins with the other (and the candidate has
/// at least half the length of the word).
std::string nearest(const std::string& word,
                    const std::vector<std::string>& candidates);

}  // namespace nestgrad
