#include "tests/fuzz/damage.h"

#include <iterator>

namespace nestgrad {

std::string damaged(std::string bytes, const std::vector<std::string>& others,
                    Random& random) {
  static const std::string kPieces[] = {
      std::string(8, '\xff'),
      std::string(8, '\0'),
      std::string("\x00\x00\x00\x00\x00\x00\x00\x80", 8),
      "\xff\xff\xff\x7f",
      "-1",
      "1e999",
      "9223372036854775808",
      "\"",
      "{",
      "[",
      "null",
      "\xc3",
      ",",
      "\n",
      "nan"};
  const std::size_t changes = 1 + below(random, 4);
  for (std::size_t i = 0; i < changes; ++i) {
    const std::size_t at = below(random, bytes.size() + 1);
    const std::string& piece = kPieces[below(random, std::size(kPieces))];
    switch (below(random, 7)) {
      case 0:  // a bit
        if (at < bytes.size())
          bytes[at] ^= static_cast<char>(1 << below(random, 8));
        break;
      case 1:  // a byte
        if (at < bytes.size())
          bytes[at] = static_cast<char>(below(random, 256));
        break;
      case 2:
        bytes.insert(at, piece);
        break;
      case 3:
        bytes.replace(at, piece.size(), piece);
        break;
      case 4:
        bytes.erase(at, 1 + below(random, 16));
        break;
      case 5:  // the end is missing
        bytes.resize(at);
        break;
      default: {  // a part of another input
        const std::string& other = others[below(random, others.size())];
        const std::size_t from = below(random, other.size() + 1);
        bytes.insert(at, other.substr(from, 1 + below(random, 64)));
      }
    }
  }
  return bytes;
}

}  // namespace nestgrad
