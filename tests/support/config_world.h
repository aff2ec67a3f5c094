#pragma once

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "core/config/registry.h"
#include "core/setting.h"

// A small set of registered types and a configuration schema that uses them:
// methods that contain solvers, settings and other methods.
namespace nestgrad::config_world {

class TestSolver {
 public:
  static constexpr const char* kKind = "test_solvers";
  virtual ~TestSolver() = default;
  virtual double answer() const = 0;
};
using TestSolverRegistry = Registry<TestSolver, double>;

class Series : public TestSolver {
 public:
  static Schema schema() {
    return Schema("A truncated series, e.g. this one. It is cheap.")
        .integer("terms", 10, "Products, one fewer than summands.", at_least(0))
        .number("scale", "auto", "The step.", above(0), {"auto", "largest"});
  }
  Series(const Config& config, double factor)
      : answer_(factor * static_cast<double>(config.integer("terms"))) {}
  double answer() const override { return answer_; }

 private:
  double answer_;
};
inline const bool has_series =
    TestSolverRegistry::instance().add<Series>("series");

class Direct : public TestSolver {
 public:
  static Schema schema() { return Schema("An exact solution."); }
  Direct(const Config&, double factor) : answer_(factor) {}
  double answer() const override { return answer_; }

 private:
  double answer_;
};
inline const bool has_direct =
    TestSolverRegistry::instance().add<Direct>("direct");

/// A method whose kind has an irregular plural.
class AnimalQuery {
 public:
  static constexpr const char* kKind = "animal_queries";
  static Schema common_schema() {
    return Schema("").integer("window", 10, "Steps in between.", at_least(1));
  }
};
using AnimalQueryRegistry = Registry<AnimalQuery>;

class Implicit : public AnimalQuery {
 public:
  static Schema schema() {
    return Schema("Solves a linear system.")
        .object("solver", TestSolverRegistry::instance(), {{"type", "series"}},
                "Solves the system.",
                Schema("").boolean("warm", false, "Starts from the last."))
        .setting("damping", 0.1, "Added to the diagonal.", at_least(0));
  }
  explicit Implicit(const Config&) {}
};
inline const bool has_implicit =
    AnimalQueryRegistry::instance().add<Implicit>("implicit");

class Chain : public AnimalQuery {
 public:
  static Schema schema() {
    return Schema("Several, one after another.")
        .objects("links", AnimalQueryRegistry::instance(), Json::array(),
                 "The others.");
  }
  explicit Chain(const Config&) {}
};
inline const bool has_chain =
    AnimalQueryRegistry::instance().add<Chain>("chain");

class Ramp : public Schedule {
 public:
  static Schema schema() {
    return Schema("A straight line.")
        .integer("ramp_steps", kRequired, "Its length.", at_least(1))
        .setting("ramp_end", 1, "Where it ends.");
  }
  explicit Ramp(const Config&) {}
  Tensor value(const ParameterSet&, std::int64_t step,
               std::int64_t) const override {
    return at::scalar_tensor(static_cast<double>(step));
  }
};
inline const bool has_ramp =
    ScheduleRegistry::instance().add<Ramp>("test_ramp");

inline Schema world() {
  return Schema("An experiment.")
      .integer("seed", 0, "Where randomness starts.")
      .text("title", kAbsent, "For people.")
      .choice("device", "cpu", "Where to compute.", {"cpu", "cuda"})
      .integers("sizes", Json{3, 4}, "Sizes of layers.", at_least(1))
      .numbers("range", kAbsent, "Starting points.", from_below(0, 1))
      .section("outer",
               Schema("The outer loop.")
                   .integer("steps", 100, "How many.", at_least(1))
                   .number("tolerance", 1e-6, "When to stop.", above(0)),
               Json::object(), "How the hyperparameters move.")
      .map("hyper", Schema("One of them.").number("initial", 0.5, "Start."),
           Json::object(), "By name.")
      .object("method", AnimalQueryRegistry::instance(), kRequired,
              "How the gradient is found.");
}

inline std::vector<Complaint> complaints_about(const Schema& schema,
                                               const Json& json) {
  std::vector<Complaint> complaints;
  complete(schema, json, "", complaints);
  return complaints;
}

}  // namespace nestgrad::config_world
