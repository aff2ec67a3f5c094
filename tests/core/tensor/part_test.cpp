#include "core/tensor/part.h"

#include "core/tensor/sum.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

TEST_CASE("sets that were put together can be taken apart again", "[part]") {
  const ParameterSet a{{"x", at::full({2}, 1, float64())},
                       {"y", at::full({}, 2, float64())}};
  const ParameterSet b{{"z", at::full({3}, 3, float64())}};
  ParameterSet both = a;
  both.append("b/", b);
  const ParameterSet first = part(both, 0, a), second = part(both, 2, b);
  REQUIRE(alike(first, a));
  REQUIRE(alike(second, b));
  CHECK(at::equal(first.flatten(), a.flatten()));
  CHECK(at::equal(second.flatten(), b.flatten()));
  CHECK_THROWS_WITH(part(both, 3, b), ContainsSubstring("there are 3"));
}

TEST_CASE("an empty sum becomes its first term", "[sum]") {
  const Tensor term = at::full({2}, 1.5, float64());
  Tensor sum;
  add_to(sum, term);
  CHECK(sum.is_same(term));
  add_to(sum, term);
  CHECK(at::equal(sum, at::full({2}, 3.0, float64())));
  // The first term is not written to.
  CHECK(at::equal(term, at::full({2}, 1.5, float64())));
}

}  // namespace
}  // namespace nestgrad
