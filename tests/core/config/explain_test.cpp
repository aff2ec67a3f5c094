#include "core/config/explain.h"

#include <algorithm>
#include <string>

#include "tests/support/config_world.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

using config_world::TestSolverRegistry;
using config_world::world;

TEST_CASE("a key is explained by its path", "[explain]") {
  CHECK(explain(world(), "outer.tolerance") ==
        "outer.tolerance\n"
        "  When to stop.\n"
        "\n"
        "  expects  a number, above 0\n"
        "  default  1e-06\n");
  const std::string terms =
      "method.solver.terms (a key of the test solver 'series')\n"
      "  Products, one fewer than summands.\n"
      "\n"
      "  expects  a whole number, at least 0\n"
      "  default  10\n";
  CHECK(explain(world(), "method.solver.terms") == terms);
  CHECK(explain(world(), "method.implicit.solver.series.terms") == terms);
  CHECK(explain(world(), "solver.terms") == terms);
  CHECK(explain(world(), "series.terms") == terms);
  CHECK(explain(world(), "terms") == terms);
  CHECK(explain(world(), "hyper.any_name.initial") ==
        explain(world(), "hyper.initial"));
  CHECK_THAT(explain(world(), "method.links.0.damping"),
             ContainsSubstring("method.links.damping (a key of the animal "
                               "query 'implicit')"));
}

TEST_CASE("an explanation says what is in a section or an object",
          "[explain]") {
  CHECK(explain(world(), "outer") ==
        "outer\n"
        "  How the hyperparameters move.\n"
        "\n"
        "  expects  an object\n"
        "  default  {}\n"
        "\n"
        "  keys:\n"
        "    steps      How many (a whole number, at least 1; default: 100)\n"
        "    tolerance  When to stop (a number, above 0; default: 1e-06)\n");
  const std::string solver = explain(world(), "solver");
  CHECK_THAT(solver, ContainsSubstring("default  { \"type\": \"series\" }\n"));
  CHECK_THAT(solver,
             ContainsSubstring("  test_solvers:\n"
                               "    direct  An exact solution\n"
                               "    series  A truncated series, e.g. this "
                               "one\n"));
  CHECK_THAT(solver, ContainsSubstring("    warm  Starts from the last"));
  CHECK_THAT(explain(world(), "damping"),
             ContainsSubstring("test_ramp     A "));
  CHECK_THAT(explain(world(), "ramp_steps"),
             ContainsSubstring("a key of the schedule 'test_ramp'"));
}

TEST_CASE("a type is explained by its name", "[explain]") {
  const std::string series = explain(world(), "series");
  CHECK_THAT(series, ContainsSubstring(
                         "method.solver.series (a test solver)\n"
                         "  A truncated series, e.g. this one. It is cheap.\n"
                         "\n"
                         "  keys:\n"
                         "    terms  Products, one fewer than summands"));
  CHECK(explain(world(), "method.solver.series") == series);
}

TEST_CASE("a key that all types have is explained once", "[explain]") {
  CHECK(explain(world(), "method.window") ==
        "method.window (a key of the animal query 'chain')\n"
        "method.window (a key of the animal query 'implicit')\n"
        "  Steps in between.\n"
        "\n"
        "  expects  a whole number, at least 1\n"
        "  default  10\n");
}

TEST_CASE("explanations fit into 80 columns", "[explain]") {
  Schema wide("");
  wide.text("key", std::string(30, 'a') + " " + std::string(30, 'b'),
            "One two three four five six seven eight nine ten eleven twelve "
            "thirteen fourteen fifteen sixteen seventeen. Again: eighteen.");
  std::size_t longest = 0;
  for (const std::string& text :
       {explain(wide, "key"), explain(world(), "method"),
        explain(world(), "implicit"), explain(world(), "terms")}) {
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = text.find('\n', at);
      longest = std::max(longest, end - at);
      CHECK((end == at || text[end - 1] != ' '));
      at = end + 1;
    }
    CAPTURE(text);
    CHECK(longest <= 80);
  }
  CHECK(longest > 60);
}

TEST_CASE("a line of 80 columns is full", "[explain]") {
  const std::string a(39, 'a'), b(38, 'b');
  const auto fits = [](const std::string& meaning) {
    const std::string text =
        explain(Schema("").text("key", "", meaning), "key");
    return text.find("\n  " + meaning + "\n") != std::string::npos;
  };
  CHECK(fits(a + " " + b));
  CHECK_FALSE(fits(a + " " + b + "b"));
}

TEST_CASE("an unknown name is explained by the nearest one", "[explain]") {
  const auto answer = [](const std::string& key) {
    try {
      return explain(world(), key);
    } catch (const Error& error) {
      return std::string(error.what());
    }
  };
  CHECK(answer("termz") ==
        "there is no key or type 'termz'; did you mean 'terms'?");
  CHECK(answer("mehtod.solver.terms") ==
        "there is no key or type 'mehtod.solver.terms'; did you mean "
        "'method.solver.terms'?");
  CHECK(answer("hyper.solver.terms.serie") ==
        "there is no key or type 'hyper.solver.terms.serie'; did you mean "
        "'series'?");
  CHECK(answer("zzzzzz") == "there is no key or type 'zzzzzz'");
  CHECK(answer("") == "there is no key or type ''");
}

TEST_CASE("a registry is listed with the first sentences", "[explain]") {
  CHECK(list(TestSolverRegistry::instance()) ==
        "direct  An exact solution\n"
        "series  A truncated series, e.g. this one\n");
}
}  // namespace
}  // namespace nestgrad
