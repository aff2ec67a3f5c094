#include "core/config/json_file.h"

#include <algorithm>
#include <iterator>

#include "core/platform/files.h"
#include "core/platform/text.h"

namespace nestgrad {
namespace {

constexpr std::size_t kDeepest = 100;

// A text with a reading position.
class Cursor {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  Cursor(const char* at, const char** reached) : at_(at), reached_(reached) {}

  reference operator*() const { return *at_; }
  Cursor& operator++() {
    *reached_ = ++at_;
    return *this;
  }
  bool operator==(const Cursor& other) const { return at_ == other.at_; }
  bool operator!=(const Cursor& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  const char** reached_;
};

int line_at(std::string_view text, std::size_t offset) {
  return 1 + static_cast<int>(
                 std::count(text.begin(), text.begin() + offset, '\n'));
}

int column_at(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const std::string_view line = before.substr(before.rfind('\n') + 1);
  return 1 + static_cast<int>(character_count(line));
}

// The library's message about a syntax error, without its prefix, position and
// quotation of the text.
std::string own_words(std::string message) {
  const auto drop_until = [&](const char* mark, std::size_t length) {
    const auto at = message.find(mark);
    if (at != std::string::npos) message.erase(0, at + length);
  };
  drop_until("] ", 2);
  drop_until(" - ", 3);
  message = message.substr(0, message.find("; last read:"));
  const std::pair<const char*, const char*> better[] = {
      {"expected '}'", "expected a comma or '}'"},
      {"expected ']'", "expected a comma or ']'"},
      {"expected '[', '{', or a literal", "expected a value"},
      {"string literal", "string"},
      {"number literal", "number"}};
  for (const auto& [theirs, ours] : better) {
    const auto at = message.find(theirs);
    if (at != std::string::npos) {
      message.replace(at, std::string_view(theirs).size(), ours);
    }
  }
  return message;
}

// The mistake at `offset`, where the library stopped with `message`.
std::string syntax_error(std::string_view text, std::size_t offset,
                         const std::string& message) {
  if (offset >= text.size()) return "the text ends too early";
  const std::string_view rest = text.substr(offset);
  const bool is_comment =
      rest.substr(0, 2) == "//" || rest.substr(0, 2) == "/*" || rest[0] == '#';
  if (is_comment) return "comments are not allowed in JSON";
  if (rest[0] == '\'') return "strings need double quotes in JSON";
  if (rest[0] == '}' || rest[0] == ']') {
    const auto before = text.find_last_not_of(" \t\r\n", offset - 1);
    if (offset > 0 && before != std::string_view::npos && text[before] == ',') {
      return fmt::format("there is an extra comma before '{}'", rest[0]);
    }
  }
  return own_words(message);
}

// Builds the value and records the line of each of its parts.
class Reader : public nlohmann::json_sax<Json> {
 public:
  Reader(std::string_view text, std::string name)
      : text_(text), name_(std::move(name)), reached_(text.data()) {}

  // Returns false if there are complaints.
  bool read() {
    const auto zero = text_.find('\0');
    if (zero != std::string_view::npos) {
      complain_at(zero, "there is a zero byte, so this is not a JSON text");
      return false;
    }
    const char* const end = text_.data() + text_.size();
    Json::sax_parse(Cursor(text_.data(), &reached_), Cursor(end, &reached_),
                    this);
    return complaints.empty();
  }

  Json json;
  std::map<std::string, int> lines;
  std::vector<Complaint> complaints;

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override { return put(value); }
  bool number_float(number_float_t value, const string_t&) override {
    return put(value);
  }
  bool string(string_t& value) override { return put(value); }
  bool binary(binary_t&) override { return false; }

  bool start_object(std::size_t) override { return open(Json::object()); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_array() override { return close(); }

  bool key(string_t& key) override {
    Frame& frame = frames_.back();
    frame.key = key;
    const auto [first, is_new] = frame.key_lines.emplace(key, line());
    if (!is_new) {
      complaints.push_back(
          {join_pointer(frame.pointer, key),
           fmt::format("the key appears twice, on lines {} and {} of {}",
                       first->second, line(), name_)});
    }
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    // `position` is the number of characters read, including the wrong one.
    const std::size_t offset =
        std::min(position > 0 ? position - 1 : std::size_t{0}, text_.size());
    complain_at(offset, syntax_error(text_, offset, error.what()));
    return false;
  }

 private:
  // An object or a list that is still open.
  struct Frame {
    Json* value;
    std::string pointer;
    std::string key;  // the latest
    std::map<std::string, int> key_lines;
  };

  // The line of the value just read. To find the end of a number, the library
  // reads one more character. If this is a line end, it does not count.
  int line() {
    for (; counted_ + 1 < reached_; ++counted_) {
      if (*counted_ == '\n') ++line_;
    }
    return line_;
  }

  std::string pointer_of_next() const {
    if (frames_.empty()) return "";
    const Frame& frame = frames_.back();
    return join_pointer(frame.pointer, frame.value->is_array()
                                           ? std::to_string(frame.value->size())
                                           : frame.key);
  }

  bool put(Json value) {
    place(std::move(value));
    return true;
  }

  Json* place(Json value) {
    lines[pointer_of_next()] = line();
    if (frames_.empty()) {
      json = std::move(value);
      return &json;
    }
    Frame& frame = frames_.back();
    if (frame.value->is_array()) {
      frame.value->push_back(std::move(value));
      return &frame.value->back();
    }
    Json& member = (*frame.value)[frame.key];
    member = std::move(value);
    return &member;
  }

  bool open(Json empty) {
    if (frames_.size() == kDeepest) {
      complain_at(
          static_cast<std::size_t>(reached_ - text_.data()) - 1,
          fmt::format("there are more than {} levels of nesting", kDeepest));
      return false;
    }
    std::string pointer = pointer_of_next();
    frames_.push_back({place(std::move(empty)), std::move(pointer), "", {}});
    return true;
  }

  bool close() {
    frames_.pop_back();
    return true;
  }

  void complain_at(std::size_t offset, const std::string& what) {
    complaints.push_back(
        {frames_.empty() ? "" : frames_.back().pointer,
         fmt::format("line {}, column {} of {}: {}", line_at(text_, offset),
                     column_at(text_, offset), name_, what)});
  }

  std::string_view text_;
  std::string name_;
  const char* reached_;
  const char* counted_ = text_.data();
  int line_ = 1;
  std::vector<Frame> frames_;
};

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> steps(1);
  for (const char c : path) {
    if (c == '.') {
      steps.emplace_back();
    } else {
      steps.back() += c;
    }
  }
  return steps;
}

bool is_index(const std::string& step, std::size_t size) {
  const bool digits =
      !step.empty() && step.size() < 10 && (step == "0" || step[0] != '0') &&
      std::all_of(step.begin(), step.end(),
                  [](unsigned char c) { return c >= '0' && c <= '9'; });
  return digits && std::stoul(step) < size;
}

}  // namespace

std::string join_pointer(const std::string& pointer, std::string_view key) {
  std::string joined = pointer + "/";
  for (const char c : key) {
    if (c == '~') {
      joined += "~0";
    } else if (c == '/') {
      joined += "~1";
    } else {
      joined += c;
    }
  }
  return joined;
}

std::string to_line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

JsonFile JsonFile::read(const std::string& path) {
  require(!folder_exists(path), "cannot read '{}': it is a folder, not a file",
          path);
  JsonFile file = parse(read_file(path), path);
  file.see_from({".", std::filesystem::path(path).parent_path().string()});
  return file;
}

void JsonFile::see_from(const std::vector<std::string>& folders) {
  folders_.clear();
  for (const std::string& folder : folders) {
    std::filesystem::path whole =
        std::filesystem::absolute(folder.empty() ? "." : folder)
            .lexically_normal();
    // "/a/" and "/a" are one folder.
    if (!whole.has_filename()) whole = whole.parent_path();
    if (std::count(folders_.begin(), folders_.end(), whole) == 0) {
      folders_.push_back(whole);
    }
  }
}

JsonFile JsonFile::parse(std::string_view text, std::string name) {
  Reader reader(text, name);
  if (!reader.read()) throw ConfigError(std::move(reader.complaints));
  return JsonFile(std::move(name), std::move(reader.json),
                  std::move(reader.lines));
}

void JsonFile::set(std::string_view assignment) {
  const auto equals = assignment.find('=');
  require(equals != std::string_view::npos,
          "--set {}: expected path=value, met no '='", assignment);
  require(is_utf8(assignment), "--set: expected text in UTF-8");
  const std::string value(assignment.substr(equals + 1));

  Json changed = json_;
  Json* here = &changed;
  std::string pointer;
  std::string topmost_new;
  for (const std::string& step : split(assignment.substr(0, equals))) {
    require(!step.empty(), "--set {}: expected a name between the dots",
            assignment);
    const std::string next = join_pointer(pointer, step);
    if (here->is_array()) {
      require(is_index(step, here->size()),
              "--set {}: {} holds a list of {}, which has no element '{}'",
              assignment, pointer, here->size(), step);
      here = &(*here)[std::stoul(step)];
    } else {
      // A string may stand for an object of that type: "ift" for {"type":
      // "ift"}. Here it must become the object.
      if (here->is_string()) *here = Json{{"type", *here}};
      require(here->is_object(), "--set {}: expected an object at {}, met a {}",
              assignment, pointer.empty() ? "/" : pointer, here->type_name());
      if (!here->contains(step)) {
        if (topmost_new.empty()) topmost_new = next;
        (*here)[step] = Json::object();
      }
      here = &(*here)[step];
    }
    pointer = next;
  }
  Reader reader(value, "--set");
  *here = reader.read() ? reader.json : Json(value);

  json_ = std::move(changed);
  const std::string below = pointer + "/";
  for (auto at = lines_.lower_bound(below);
       at != lines_.end() && at->first.compare(0, below.size(), below) == 0;) {
    at = lines_.erase(at);
  }
  lines_[topmost_new.empty() ? pointer : topmost_new] = 0;
}

int JsonFile::line(const std::string& pointer) const {
  for (std::string above = pointer;;) {
    const auto found = lines_.find(above);
    if (found != lines_.end()) return found->second;
    if (above.empty()) return 0;
    const auto slash = above.rfind('/');
    above.resize(slash == std::string::npos ? 0 : slash);
  }
}

std::string JsonFile::describe(const Complaint& complaint) const {
  const int at = line(complaint.where);
  const std::string place =
      at == 0 ? std::string("--set") : fmt::format("{}:{}", name_, at);
  return fmt::format("{}: {}: {}", place,
                     complaint.where.empty() ? "/" : complaint.where,
                     complaint.what);
}

std::string JsonFile::describe_all(const ConfigError& error) const {
  std::string out;
  for (const Complaint& complaint : error.complaints()) {
    out += (out.empty() ? "" : "\n") + describe(complaint);
  }
  return out;
}

}  // namespace nestgrad
