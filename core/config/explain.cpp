#include "core/config/explain.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace nestgrad {
namespace {

constexpr std::size_t kColumns = 80;

std::string trimmed(const std::string& line) {
  return line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
}

// `text` in lines of at most 80 columns, all indented. `label` is written into
// the indentation of the first line.
std::string paragraph(const std::string& label, std::size_t indentation,
                      const std::string& text) {
  std::string out;
  std::string line = label;
  line.resize(std::max(indentation, label.size() + 1), ' ');
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string word = text.substr(at, end - at);
    at = end + 1;
    if (line.back() != ' ') line += ' ';
    const bool has_words = line.find_first_not_of(' ') != std::string::npos;
    if (has_words && line.size() + word.size() > kColumns) {
      out += trimmed(line);
      line.assign(indentation, ' ');
    }
    line += word;
  }
  return out + trimmed(line);
}

// Rows of a name and a text, with the texts aligned.
std::string table(
    std::size_t indentation,
    const std::vector<std::pair<std::string, std::string>>& rows) {
  std::size_t width = 0;
  for (const auto& row : rows) width = std::max(width, row.first.size());
  std::string out;
  for (const auto& [name, text] : rows) {
    out += paragraph(std::string(indentation, ' ') + name,
                     indentation + width + 2, text);
  }
  return out;
}

// The first sentence of `text` without its full stop. A sentence ends with a
// full stop before a capital letter (not as in "e.g. this").
std::string first_sentence(const std::string& text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool ends_here =
        text[i] == '.' &&
        (i + 1 == text.size() || (i + 2 < text.size() && text[i + 1] == ' ' &&
                                  text[i + 2] >= 'A' && text[i + 2] <= 'Z'));
    if (ends_here) return text.substr(0, i);
  }
  return text;
}

std::vector<std::string> split(const std::string& path) {
  std::vector<std::string> steps;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find('.', at), path.size());
    steps.push_back(path.substr(at, end - at));
    at = end + 1;
  }
  return steps;
}

std::string default_of(const KeySpec& key) {
  if (key.required()) return "none, must be given";
  if (key.optional()) return "none, may be left out";
  // Blanks between the elements, so that a long default can be wrapped.
  std::string text = key.fallback.dump(0);
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

// A key, a type that an object may have, or a hyperparameter that a type reads,
// in the tree of all possible configurations.
struct Node {
  std::string path;            // "estimator.ift.solver"
  std::string short_path;      // the path without types: "estimator.solver"
  std::string name;            // "solver"
  std::string owner;           // "the estimator 'ift'"; "" if there is none
  std::optional<KeySpec> key;  // of a key
  const RegistryBase* registry = nullptr;  // of a type
  std::vector<const RegistryBase*> above;  // of the types on the path
  std::string tuned = {};  // of a hyperparameter that a type reads: its meaning

  bool is_type() const { return registry != nullptr; }
  bool is_tuned() const { return !tuned.empty(); }
};

std::string joined(const std::string& path, const std::string& name) {
  return path.empty() ? name : path + "." + name;
}

std::vector<Node> children(const Node& node) {
  std::vector<Node> found;
  const auto add_keys = [&](const Schema& schema, const std::string& owner) {
    for (const KeySpec& key : schema.keys()) {
      found.push_back({joined(node.path, key.name),
                       joined(node.short_path, key.name), key.name, owner, key,
                       nullptr, node.above});
    }
  };
  if (node.is_tuned()) return found;
  if (node.is_type()) {
    const Schema schema = node.registry->schema(node.name);
    const std::string owner =
        fmt::format("the {} '{}'", node.registry->noun(), node.name);
    add_keys(schema, owner);
    for (const auto& [name, meaning] : schema.tuned()) {
      found.push_back({joined(node.path, name), name, name, owner, std::nullopt,
                       nullptr, node.above, meaning});
    }
    return found;
  }
  if (node.key->schema != nullptr) add_keys(*node.key->schema, node.owner);
  const RegistryBase* types = node.key->types();
  if (types == nullptr) return found;
  std::vector<const RegistryBase*> above = node.above;
  above.push_back(types);
  for (const std::string& name : types->names()) {
    found.push_back({joined(node.path, name), node.short_path, name, node.owner,
                     std::nullopt, types, above});
  }
  return found;
}

Node root_of(const Schema& top) {
  Node root;
  root.key = KeySpec{"", KeySpec::Kind::kObject, top.meaning(), kRequired};
  root.key->schema = std::make_shared<const Schema>(top);
  return root;
}

// Adds all nodes below `node`. Types can nest without end, so the types of a
// registry have none of the same registry below them.
void add_below(const Node& node, std::vector<Node>& all) {
  const bool again =
      node.key &&
      std::count(node.above.begin(), node.above.end(), node.key->types()) > 0;
  for (const Node& child : children(node)) {
    if (again && child.is_type()) continue;
    all.push_back(child);
    add_below(child, all);
  }
}

// All nodes below `root`, those with short paths first, otherwise in the order
// of the schemas.
std::vector<Node> everything(const Node& root) {
  std::vector<Node> all;
  add_below(root, all);
  const auto steps = [](const Node& node) {
    return std::count(node.short_path.begin(), node.short_path.end(), '.');
  };
  std::stable_sort(all.begin(), all.end(), [&](const Node& a, const Node& b) {
    return steps(a) < steps(b);
  });
  return all;
}

// The nodes reached from `node` by `steps`, from number `i` on. Types may be
// left out of the path, and it may contain one free name or list index.
std::vector<Node> find(const Node& node, const std::vector<std::string>& steps,
                       std::size_t i, bool has_passed = false) {
  std::vector<Node> hits;
  const auto add = [&hits](std::vector<Node> more) {
    for (Node& hit : more) hits.push_back(std::move(hit));
  };
  if (i == steps.size()) return {node};
  for (const Node& child : children(node)) {
    if (child.name == steps[i]) {
      add(find(child, steps, i + 1));
    } else if (child.is_type()) {
      add(find(child, steps, i));
    }
  }
  const bool has_free_names =
      node.key && (node.key->kind == KeySpec::Kind::kMap ||
                   node.key->kind == KeySpec::Kind::kObjects);
  if (hits.empty() && has_free_names && !has_passed) {
    return find(node, steps, i + 1, true);
  }
  return hits;
}

std::string keys_table(const Schema& schema) {
  std::vector<std::pair<std::string, std::string>> rows;
  for (const KeySpec& key : schema.keys()) {
    rows.emplace_back(key.name, fmt::format("{} ({}; default: {})",
                                            first_sentence(key.meaning),
                                            key.expects(), default_of(key)));
  }
  return rows.empty() ? "" : "\n  keys:\n" + table(4, rows);
}

std::string types_table(const RegistryBase& registry, std::size_t indentation) {
  std::vector<std::pair<std::string, std::string>> rows;
  for (const std::string& name : registry.names()) {
    rows.emplace_back(name, first_sentence(registry.schema(name).meaning()));
  }
  return table(indentation, rows);
}

// The hyperparameters that a type reads.
std::string tuned_table(const Schema& schema) {
  std::vector<std::pair<std::string, std::string>> rows;
  for (const auto& [name, meaning] : schema.tuned()) {
    rows.emplace_back(name, first_sentence(meaning));
  }
  return rows.empty() ? "" : "\n  hyperparameters:\n" + table(4, rows);
}

// The first line of a node's explanation: its place, as --set takes it.
std::string title(const Node& node) {
  if (node.is_type()) {
    return paragraph(joined(node.short_path, node.name), 4,
                     "(" + node.registry->a_noun() + ")");
  }
  if (node.owner.empty()) return node.short_path + "\n";
  return paragraph(
      node.short_path, 4,
      fmt::format("(a {} of {})", node.is_tuned() ? "hyperparameter" : "key",
                  node.owner));
}

// The explanation below the title.
std::string body(const Node& node) {
  if (node.is_type()) {
    const Schema schema = node.registry->schema(node.name);
    return paragraph("", 2, schema.meaning()) + keys_table(schema) +
           tuned_table(schema);
  }
  if (node.is_tuned()) return paragraph("", 2, node.tuned);
  const KeySpec& key = *node.key;
  std::string text =
      paragraph("", 2, key.meaning) + "\n" +
      table(2, {{"expects", key.expects()}, {"default", default_of(key)}});
  if (key.schema != nullptr) text += keys_table(*key.schema);
  if (key.types() != nullptr) {
    text += fmt::format("\n  {}:\n", key.types()->kind()) +
            types_table(*key.types(), 4);
  }
  return text;
}

// The explanations of all nodes. Nodes with equal bodies (common keys of the
// types of a registry) share one.
std::string entries(const std::vector<Node>& nodes) {
  constexpr std::size_t kMostTitles = 8;
  std::vector<std::pair<std::string, std::vector<std::string>>> by_body;
  for (const Node& node : nodes) {
    const std::string text = body(node);
    auto entry = std::find_if(by_body.begin(), by_body.end(),
                              [&](const auto& e) { return e.first == text; });
    if (entry == by_body.end()) entry = by_body.insert(entry, {text, {}});
    const std::string place = title(node);
    if (std::count(entry->second.begin(), entry->second.end(), place) == 0) {
      entry->second.push_back(place);
    }
  }
  std::string out;
  for (const auto& [text, titles] : by_body) {
    if (!out.empty()) out += "\n";
    for (std::size_t i = 0; i < std::min(titles.size(), kMostTitles); ++i) {
      out += titles[i];
    }
    if (titles.size() > kMostTitles) {
      out +=
          fmt::format("and at {} more places\n", titles.size() - kMostTitles);
    }
    out += text;
  }
  return out;
}

std::string nothing_like(const std::string& path, const std::string& last_step,
                         const std::vector<Node>& all) {
  std::vector<std::string> names, paths;
  for (const Node& node : all) {
    names.push_back(node.name);
    paths.push_back(node.short_path);
    paths.push_back(node.path);
  }
  paths.insert(paths.begin(), names.begin(), names.end());
  std::string near = nearest(path, paths);
  if (near.empty()) near = nearest(last_step, names);
  return fmt::format("there is no key or type '{}'", path) +
         (near.empty() ? "" : fmt::format("; did you mean '{}'?", near));
}

}  // namespace

std::vector<std::string> all_keys(const Schema& top) {
  std::set<std::string> keys;
  for (const Node& node : everything(root_of(top))) {
    if (node.key) keys.insert(node.short_path);
  }
  return {keys.begin(), keys.end()};
}

std::string explain(const Schema& top, const std::string& key) {
  const Node root = root_of(top);
  const std::vector<Node> all = everything(root);
  const std::vector<std::string> steps = split(key);

  std::vector<Node> hits;
  if (steps.size() > 1) hits = find(root, steps, 0);
  // "hyperparameters.weight_decay": a free name that is known all the same.
  if (!hits.empty() && hits[0].key &&
      hits[0].key->kind == KeySpec::Kind::kMap &&
      hits[0].name != steps.back()) {
    std::vector<Node> named;
    std::copy_if(all.begin(), all.end(), std::back_inserter(named),
                 [&](const Node& node) {
                   return node.is_tuned() && node.name == steps.back();
                 });
    hits.insert(hits.begin(), named.begin(), named.end());
  }
  if (hits.empty()) {
    for (const Node& node : all) {
      if (node.name != steps[0]) continue;
      for (Node& hit : find(node, steps, 1)) hits.push_back(std::move(hit));
    }
  }
  if (hits.empty()) throw Error(nothing_like(key, steps.back(), all));
  return entries(hits);
}

std::string list(const RegistryBase& registry) {
  return types_table(registry, 0);
}

}  // namespace nestgrad
