#include "core/platform/warnings.h"

#include <algorithm>

#include "tests/support/support.h"

namespace nestgrad {

TEST_CASE("a warning is kept once and told once", "[warnings]") {
  const auto count = [](const std::vector<std::string>& texts) {
    return std::count(texts.begin(), texts.end(), "twice the same");
  };
  CHECK(count(warnings()) == 0);
  add_warning("twice the same");
  add_warning("another");
  add_warning("twice the same");
  CHECK(count(warnings()) == 1);
  CHECK(count(untold_warnings()) == 1);
  add_warning("twice the same");
  CHECK(untold_warnings().empty());
  CHECK(count(warnings()) == 1);
}

}  // namespace nestgrad
