#include <ATen/ATen.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <string>
#include <vector>

#include "core/platform/files.h"
#include "experiments/data/data.h"

namespace nestgrad {
namespace {

/// The characters of a text: its bytes.
std::vector<std::string> characters(const std::string& text) {
  std::vector<std::string> out;
  for (const char c : text) out.emplace_back(1, c);
  return out;
}

/// The words of a text: maximal runs of letters, digits and bytes beyond ASCII.
/// Every other visible character is a word by itself.
std::vector<std::string> words(const std::string& text) {
  std::vector<std::string> out;
  bool inside = false;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool letter = byte >= 0x80 || std::isalnum(byte) != 0;
    if (letter && inside) {
      out.back() += c;
    } else if (letter || std::isgraph(byte) != 0) {
      out.emplace_back(1, c);
    }
    inside = letter;
  }
  return out;
}

/// Numbers words by descending frequency; words of equal frequency are ordered
/// by their bytes. If there are more than `most`, the rarest share the last
/// number. most 0: no limit.
std::map<std::string, std::int64_t> numbered(
    const std::vector<std::string>& tokens, std::int64_t most) {
  std::map<std::string, std::int64_t> counts;
  for (const std::string& token : tokens) ++counts[token];
  std::vector<std::string> order;
  for (const auto& [token, count] : counts) order.push_back(token);
  std::stable_sort(order.begin(), order.end(),
                   [&](const std::string& a, const std::string& b) {
                     return counts[a] > counts[b];
                   });
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto number = static_cast<std::int64_t>(i);
    counts[order[i]] = most > 0 ? std::min(number, most - 1) : number;
  }
  return counts;
}

/// A text as sequences of tokens. Each token is to be predicted from those
/// before it: for token numbers t_0, t_1, ... and length n, example i is
///   input   t_{i n}     ... t_{i n + n - 1}
///   target  t_{i n + 1} ... t_{i n + n}
class Text : public DataSource {
 public:
  explicit Text(const Config& config)
      : file_(config.path("file")),
        words_(config.text("unit") == "words"),
        length_(config.integer("length")),
        vocabulary_(config.integer("vocabulary")) {}

  static Schema schema() {
    return Schema(
               "A text, cut into sequences in which each next character or "
               "word is to be predicted. `train`, `valid` and `test` are "
               "numbers of "
               "sequences.")
        .text("file", "/usr/share/common-licenses/GPL-3",
              "File of the text, in any encoding.")
        .choice("unit", "characters",
                "The tokens: bytes, or words (runs of letters and digits; "
                "every other visible character is a word by itself).",
                {"characters", "words"})
        .integer("length", 32, "Number of tokens in a sequence.", at_least(1))
        .integer("vocabulary", 0,
                 "Largest number of different tokens; the rarest share the "
                 "last one. 0: no limit.",
                 at_least(0));
  }

  Examples load(const Key&) const override {
    const std::string text = read_file(file_);
    const std::vector<std::string> tokens =
        words_ ? words(text) : characters(text);
    const std::int64_t sequences =
        (static_cast<std::int64_t>(tokens.size()) - 1) / length_;
    require(sequences >= 3,
            "'{}': {} tokens are too few: a training, a validation and a test "
            "sequence of {} tokens need {}",
            file_, tokens.size(), length_, 3 * length_ + 1);
    const auto number = numbered(tokens, vocabulary_);
    const std::int64_t used = sequences * length_;
    const Tensor all = at::empty({used + 1}, at::kLong);
    for (std::int64_t i = 0; i <= used; ++i) {
      all.data_ptr<std::int64_t>()[i] =
          number.at(tokens[static_cast<std::size_t>(i)]);
    }
    const auto different = static_cast<std::int64_t>(number.size());
    const std::int64_t classes =
        vocabulary_ > 0 ? std::min(different, vocabulary_) : different;
    return {{all.narrow(0, 0, used).view({sequences, length_}),
             all.narrow(0, 1, used).view({sequences, length_}), classes},
            {}};
  }

 private:
  std::string file_;
  bool words_;
  std::int64_t length_, vocabulary_;
};

NESTGRAD_REGISTER(DataRegistry, "text", Text)

}  // namespace
}  // namespace nestgrad
