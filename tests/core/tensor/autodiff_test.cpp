#include "core/tensor/autodiff.h"

#include <ATen/ATen.h>

#include "core/platform/error.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

/// With w = (x, s), x [3] and s a scalar, and h [3]:
///
///   loss = x'A x / 2 + s^3 h'x
struct Polynomial {
  Tensor a = at::tensor({2., 1., 0., 1., 3., -1., 0., -1., 4.}, float64())
                 .view({3, 3});
  ParameterSet w = ParameterSet{{"x", at::tensor({0.5, -1., 2.}, float64())},
                                {"s", at::scalar_tensor(1.5, float64())}}
                       .leaves();
  ParameterSet h =
      ParameterSet{{"h", at::tensor({1., 2., -0.5}, float64())}}.leaves();

  Tensor loss() const {
    const Tensor& x = w.at("x");
    return 0.5 * at::dot(x, at::mv(a, x)) +
           w.at("s").pow(3) * at::dot(h.at("h"), x);
  }
  // Closed forms.
  Tensor by_x() const {
    return at::mv(a, w.at("x")).detach() + 3.375 * h.at("h").detach();
  }
  Tensor by_s() const { return 3 * 2.25 * dot_hx(); }
  Tensor by_h() const { return 3.375 * w.at("x").detach(); }
  Tensor dot_hx() const { return at::dot(h.at("h"), w.at("x")).detach(); }
};

bool close(const Tensor& a, const Tensor& b) {
  return a.sizes() == b.sizes() && relative_error(a, b) < 1e-14;
}

bool any_on_tape(const ParameterSet& set) {
  for (const Tensor& t : set.tensors()) {
    if (t.requires_grad()) return true;
  }
  return false;
}

TEST_CASE("the gradient of a polynomial is its closed form", "[autodiff]") {
  const Polynomial p;
  const ParameterSet g = gradient(p.loss(), p.w);
  REQUIRE(alike(g, p.w));
  CHECK(close(g.at("x"), p.by_x()));
  CHECK(close(g.at("s"), p.by_s()));
  // Nothing accumulates where the next call could find it.
  for (const Tensor& t : p.w.tensors()) CHECK(!t.grad().defined());
}

TEST_CASE("partials are both gradients at once", "[autodiff]") {
  const Polynomial p;
  const Partials both = partials(p.loss(), p.w, p.h);
  REQUIRE(alike(both.weights, p.w));
  REQUIRE(alike(both.hyper, p.h));
  CHECK(close(both.weights.at("x"), p.by_x()));
  CHECK(close(both.weights.at("s"), p.by_s()));
  CHECK(close(both.hyper.at("h"), p.by_h()));
  CHECK(!any_on_tape(both.weights));
  CHECK(!any_on_tape(both.hyper));
}

TEST_CASE("a parameter that a loss does not depend on has gradient zero",
          "[autodiff]") {
  const Polynomial p;
  ParameterSet more = p.w;
  more.insert("unused", at::ones({2, 2}, float64()).requires_grad_());
  const ParameterSet g = gradient(p.loss(), more);
  CHECK(at::equal(g.at("unused"), at::zeros({2, 2}, float64())));
  CHECK(close(g.at("x"), p.by_x()));

  const Partials both = partials(p.w.at("s").square(), p.w, p.h);
  CHECK(close(both.weights.at("s"), 2 * p.w.at("s").detach()));
  CHECK(at::equal(both.hyper.at("h"), at::zeros({3}, float64())));

  // A loss that is on no tape at all.
  const ParameterSet none = gradient(at::ones({}, float64()), p.w);
  CHECK(at::equal(none.flatten(), at::zeros({4}, float64())));
  CHECK(gradient(p.loss(), ParameterSet()).empty());
}

TEST_CASE("with the tape on, a gradient has derivatives of its own",
          "[autodiff]") {
  const Polynomial p;
  CHECK(!any_on_tape(gradient(p.loss(), p.w, Tape::kOff)));

  const ParameterSet g = gradient(p.loss(), p.w, Tape::kOn);
  const ParameterSet v{{"x", at::tensor({1., -2., 0.5}, float64())},
                       {"s", at::scalar_tensor(0.25, float64())}};
  const Partials second = partials(dot(g, v), p.w, p.h);
  // H v, by hand: the blocks are A, 3 s^2 h and 6 s h'x.
  const Tensor h = p.h.at("h").detach();
  const Tensor vx = v.at("x"), vs = v.at("s");
  CHECK(close(second.weights.at("x"), at::mv(p.a, vx) + 6.75 * vs * h));
  CHECK(close(second.weights.at("s"),
              6.75 * at::dot(h, vx) + 9 * p.dot_hx() * vs));
  CHECK(close(second.hyper.at("h"),
              3.375 * vx + 6.75 * vs * p.w.at("x").detach()));
}

TEST_CASE("a graph is consumed unless it is to be kept", "[autodiff]") {
  const Polynomial p;
  const Tensor loss = p.loss();
  const ParameterSet first = gradient(loss, p.w, Tape::kOff, Graph::kKeep);
  const ParameterSet second = gradient(loss, p.w, Tape::kOff, Graph::kConsume);
  CHECK(at::equal(first.flatten(), second.flatten()));
  CHECK_THROWS(gradient(loss, p.w));

  const Tensor again = p.loss();
  partials(again, p.w, p.h);
  CHECK_THROWS(gradient(again, p.w));
}

TEST_CASE("a loss that is no scalar is refused", "[autodiff]") {
  const Polynomial p;
  const Tensor three = p.w.at("x") * p.h.at("h");
  CHECK_THROWS_WITH(gradient(three, p.w),
                    ContainsSubstring("must be one number") &&
                        ContainsSubstring("has the shape [3]"));
  CHECK_THROWS_AS(gradient(three, p.w), Error);
  CHECK_THROWS_AS(partials(three, p.w, p.h), Error);
}

/// u = A x and q = s h^2, so that v'J is (A'v_u, h^2'v_q; 2 s h v_q).
struct Map {
  Polynomial p;
  ParameterSet out{{"u", at::mv(p.a, p.w.at("x")) * p.w.at("x").sum()},
                   {"q", p.w.at("s") * p.h.at("h").square()},
                   {"constant", at::ones({2}, float64())}};

  ParameterSet v(double shift) const {
    return out.unflatten((at::arange(8, float64()) + shift).sin());
  }
  // d (A x sum(x)) / dx = sum(x) A + A x 1'
  Tensor by_x(const ParameterSet& v) const {
    const Tensor x = p.w.at("x").detach();
    return x.sum() * at::mv(p.a.t(), v.at("u")) +
           at::dot(at::mv(p.a, x), v.at("u")) * at::ones_like(x);
  }
  Tensor by_s(const ParameterSet& v) const {
    return at::dot(p.h.at("h").detach().square(), v.at("q"));
  }
  Tensor by_h(const ParameterSet& v) const {
    return 2 * 1.5 * p.h.at("h").detach() * v.at("q");
  }
};

TEST_CASE("vjp is the product with the transposed Jacobian, again and again",
          "[autodiff]") {
  const Map map;
  for (const double shift : {0., 1., 2.}) {
    CAPTURE(shift);
    const ParameterSet v = map.v(shift);
    const ParameterSet by_w = vjp(map.out, map.p.w, v);
    REQUIRE(alike(by_w, map.p.w));
    CHECK(close(by_w.at("x"), map.by_x(v)));
    CHECK(close(by_w.at("s"), map.by_s(v)));
    CHECK(close(vjp(map.out, map.p.h, v).at("h"), map.by_h(v)));
    CHECK(!any_on_tape(by_w));
  }
}

TEST_CASE("a vjp with the tape on can be differentiated", "[autodiff]") {
  const Map map;
  // v'J is linear in v: its derivative along r is J r, which central
  // differences of the outputs give, too.
  const ParameterSet v = map.v(0.5).leaves();
  const ParameterSet r{{"x", at::tensor({0.3, -0.2, 1.}, float64())},
                       {"s", at::scalar_tensor(-0.7, float64())}};
  const ParameterSet product = vjp(map.out, map.p.w, v, Tape::kOn);
  const ParameterSet jr = gradient(dot(product, r), v);

  const auto outputs = [&](double step) {
    const ParameterSet w = add(map.p.w.detach(), step, r);
    const Tensor x = w.at("x");
    return at::cat({at::mv(map.p.a, x) * x.sum(),
                    w.at("s") * map.p.h.at("h").detach().square(),
                    at::ones({2}, float64())});
  };
  const Tensor difference = (outputs(1e-5) - outputs(-1e-5)) / 2e-5;
  CHECK(relative_error(jr.flatten(), difference) < 1e-9);
}

TEST_CASE("a pushforward is the product with the Jacobian, again and again",
          "[autodiff]") {
  const Map map;
  ParameterSet both = map.p.w;
  both.append("", map.p.h);
  const Pushforward push(map.out, both);
  for (const double shift : {0., 1., 2.}) {
    CAPTURE(shift);
    const ParameterSet t = both.detach().unflatten(
        (at::arange(both.numel(), float64()) + shift).cos());
    const ParameterSet jt = push(t);
    REQUIRE(alike(jt, map.out));
    CHECK(!any_on_tape(jt));
    CHECK(at::equal(jt.at("constant"), at::zeros({2}, float64())));
    // v'(J t) = (v'J) t
    const ParameterSet v = map.v(shift);
    CHECK(dot(v, jt).item<double>() ==
          Approx(dot(vjp(map.out, both, v), t).item<double>()).epsilon(1e-13));
  }
}

TEST_CASE("a vjp needs a vector alike to the outputs", "[autodiff]") {
  const Map map;
  CHECK_THROWS_WITH(vjp(map.out, map.p.w, map.p.w),
                    ContainsSubstring("expected 3 tensors, got 2"));
}

}  // namespace
}  // namespace nestgrad
