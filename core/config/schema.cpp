#include "core/config/schema.h"

#include <algorithm>
#include <cctype>

#include "core/config/alternatives.h"
#include "core/config/registry.h"

namespace nestgrad {
namespace {

// The number of insertions, deletions, replacements and exchanges of neighbours
// that turn one word into the other (optimal string alignment distance).
std::size_t distance(const std::string& a, const std::string& b) {
  // Rows i-2, i-1 and i of the table of distances between prefixes.
  std::vector<std::size_t> before, last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before = last;
    last = row;
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      const bool exchanged =
          i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (exchanged) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row.back();
}

std::string lower(std::string word) {
  for (char& c : word) {
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return word;
}

bool begins_with(const std::string& word, const std::string& start) {
  return word.compare(0, start.size(), start) == 0;
}

// `"a"`, `"a" or "b"`, `"a", "b" or "c"`.
std::string quoted(const std::vector<std::string>& words) {
  std::vector<std::string> marked;
  for (const std::string& word : words) marked.push_back("\"" + word + "\"");
  return in_words(marked);
}

}  // namespace

const Json kRequired(Json::value_t::discarded);
const Json kAbsent(nullptr);

bool Range::contains(double value) const {
  const bool above_low = open_low ? value > low : value >= low;
  const bool below_high = open_high ? value < high : value <= high;
  return above_low && below_high;
}

std::string Range::describe() const {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const bool has_low = low > -kInfinity;
  const bool has_high = high < kInfinity;
  if (has_low && has_high && !open_low && !open_high) {
    return fmt::format("from {} to {}", low, high);
  }
  std::string text;
  if (has_low)
    text = fmt::format("{} {}", open_low ? "above" : "at least", low);
  if (has_low && has_high) text += " and ";
  if (has_high) {
    text += fmt::format("{} {}", open_high ? "below" : "at most", high);
  }
  return text;
}

const RegistryBase* KeySpec::types() const {
  if (kind != Kind::kSetting) return registry;
  const auto found = RegistryBase::all().find("schedules");
  return found == RegistryBase::all().end() ? nullptr : found->second;
}

std::string KeySpec::default_type() const {
  if (kind != Kind::kObject) return "";
  if (fallback.is_string()) return fallback.get<std::string>();
  return fallback.is_object() ? fallback.value("type", "") : "";
}

std::string KeySpec::expects() const {
  const std::string bounds = range.describe();
  const std::string limited = bounds.empty() ? "" : ", " + bounds;
  const std::string each = bounds.empty() ? "" : ", each " + bounds;
  switch (kind) {
    case Kind::kInteger:
      return "a whole number" + limited;
    case Kind::kNumber:
      if (choices.empty()) return "a number" + limited;
      return "a number" + limited + (bounds.empty() ? " or " : ", or ") +
             quoted(choices);
    case Kind::kBoolean:
      return "true or false";
    case Kind::kText:
      return "a string";
    case Kind::kChoice:
      return quoted(choices);
    case Kind::kIntegers:
      return "a list of whole numbers" + each;
    case Kind::kTexts:
      return "a list of strings";
    case Kind::kNumbers:
      return "a number or a list of numbers" + each;
    case Kind::kSetting:
      return "a number" + limited +
             ", or \"$\" and the name of a hyperparameter" +
             (types() == nullptr ? ""
                                 : ", or " + types()->a_noun() +
                                       " (an object with a \"type\")");
    case Kind::kObject:
      if (registry == nullptr) return "an object";
      return fmt::format("the name of {}, or an object with a \"type\"",
                         registry->a_noun());
    case Kind::kObjects:
      return fmt::format(
          "a list of {}, each a name or an object with a \"type\"",
          registry->kind());
    case Kind::kMap:
      return "an object";
    case Kind::kJson:
      return "any value";
  }
  return "";
}

Schema::Schema(std::string meaning) : meaning_(std::move(meaning)) {}

Schema& Schema::add(KeySpec key) {
  const bool is_new = std::none_of(
      keys_.begin(), keys_.end(),
      [&](const KeySpec& other) { return other.name == key.name; });
  require(is_new, "a schema has two keys named '{}'", key.name);
  keys_.push_back(std::move(key));
  return *this;
}

Schema& Schema::integer(std::string name, Json fallback, std::string meaning,
                        Range range) {
  return add({std::move(name), KeySpec::Kind::kInteger, std::move(meaning),
              std::move(fallback), range});
}

Schema& Schema::number(std::string name, Json fallback, std::string meaning,
                       Range range, std::vector<std::string> or_words) {
  return add({std::move(name), KeySpec::Kind::kNumber, std::move(meaning),
              std::move(fallback), range, std::move(or_words)});
}

Schema& Schema::boolean(std::string name, Json fallback, std::string meaning) {
  return add({std::move(name), KeySpec::Kind::kBoolean, std::move(meaning),
              std::move(fallback)});
}

Schema& Schema::text(std::string name, Json fallback, std::string meaning) {
  return add({std::move(name), KeySpec::Kind::kText, std::move(meaning),
              std::move(fallback)});
}

Schema& Schema::choice(std::string name, Json fallback, std::string meaning,
                       std::vector<std::string> choices) {
  return add({std::move(name), KeySpec::Kind::kChoice, std::move(meaning),
              std::move(fallback), any(), std::move(choices)});
}

Schema& Schema::integers(std::string name, Json fallback, std::string meaning,
                         Range range) {
  return add({std::move(name), KeySpec::Kind::kIntegers, std::move(meaning),
              std::move(fallback), range});
}

Schema& Schema::texts(std::string name, Json fallback, std::string meaning) {
  return add({std::move(name), KeySpec::Kind::kTexts, std::move(meaning),
              std::move(fallback)});
}

Schema& Schema::numbers(std::string name, Json fallback, std::string meaning,
                        Range range) {
  return add({std::move(name), KeySpec::Kind::kNumbers, std::move(meaning),
              std::move(fallback), range});
}

Schema& Schema::setting(std::string name, Json fallback, std::string meaning,
                        Range range) {
  return add({std::move(name), KeySpec::Kind::kSetting, std::move(meaning),
              std::move(fallback), range});
}

Schema& Schema::object(std::string name, const RegistryBase& registry,
                       Json fallback, std::string meaning) {
  KeySpec key{std::move(name), KeySpec::Kind::kObject, std::move(meaning),
              std::move(fallback)};
  key.registry = &registry;
  return add(std::move(key));
}

Schema& Schema::object(std::string name, const RegistryBase& registry,
                       Json fallback, std::string meaning, Schema also) {
  object(std::move(name), registry, std::move(fallback), std::move(meaning));
  keys_.back().schema = std::make_shared<const Schema>(std::move(also));
  return *this;
}

Schema& Schema::objects(std::string name, const RegistryBase& registry,
                        Json fallback, std::string meaning) {
  object(std::move(name), registry, std::move(fallback), std::move(meaning));
  keys_.back().kind = KeySpec::Kind::kObjects;
  return *this;
}

Schema& Schema::section(std::string name, Schema schema, Json fallback,
                        std::string meaning) {
  KeySpec key{std::move(name), KeySpec::Kind::kObject, std::move(meaning),
              std::move(fallback)};
  key.schema = std::make_shared<const Schema>(std::move(schema));
  return add(std::move(key));
}

Schema& Schema::map(std::string name, Schema value, Json fallback,
                    std::string meaning) {
  section(std::move(name), std::move(value), std::move(fallback),
          std::move(meaning));
  keys_.back().kind = KeySpec::Kind::kMap;
  return *this;
}

Schema& Schema::json(std::string name, Json fallback, std::string meaning) {
  return add({std::move(name), KeySpec::Kind::kJson, std::move(meaning),
              std::move(fallback)});
}

Schema& Schema::tunes(std::string name, std::string meaning) {
  tuned_.emplace_back(std::move(name), std::move(meaning));
  return *this;
}

Schema& Schema::also(const Schema& other) {
  for (const KeySpec& key : other.keys_) add(key);
  tuned_.insert(tuned_.end(), other.tuned_.begin(), other.tuned_.end());
  return *this;
}

std::string nearest(const std::string& word,
                    const std::vector<std::string>& candidates) {
  const std::string wanted = lower(word);
  std::string best;
  // One mistake, plus one for every four letters.
  std::size_t limit = 1 + wanted.size() / 4;
  for (const std::string& candidate : candidates) {
    const std::string offered = lower(candidate);
    const std::size_t slips = distance(wanted, offered);
    const bool is_near = slips <= limit && slips < wanted.size();
    if (is_near && (best.empty() || slips < limit)) {
      best = candidate;
      limit = slips;
    }
  }
  if (!best.empty() || wanted.size() < 3) return best;
  for (const std::string& candidate : candidates) {
    const std::string offered = lower(candidate);
    const bool is_longer = begins_with(offered, wanted);
    const bool is_shorter =
        2 * offered.size() >= wanted.size() && begins_with(wanted, offered);
    if (is_longer || is_shorter) return candidate;
  }
  return "";
}

}  // namespace nestgrad
