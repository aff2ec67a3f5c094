#include "core/nn/exported/symbolic.h"

#include <ATen/core/ivalue.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "core/platform/error.h"

namespace nestgrad {
namespace {

using c10::IValue;
using torch::jit::Stack;

bool is_whole(const IValue& value) { return value.isInt() || value.isBool(); }

std::int64_t whole(const IValue& value) {
  require(is_whole(value), "a whole number is expected in arithmetic of sizes");
  return value.isInt() ? value.toInt() : static_cast<int>(value.toBool());
}

double real(const IValue& value) {
  return value.isDouble() ? value.toDouble()
                          : static_cast<double>(whole(value));
}

std::int64_t to_whole(double x) {
  require(std::abs(x) < 9e18, "a number in arithmetic of sizes is too large");
  return static_cast<std::int64_t>(x);
}

/// The quotient rounded down, and the remainder with the sign of b.
std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  require(b != 0 && !(a == INT64_MIN && b == -1),
          "arithmetic of sizes divides by zero or overflows");
  return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
}

std::int64_t power(std::int64_t a, std::int64_t b) {
  require(b >= 0 && b < 64, "arithmetic of sizes has the exponent {}", b);
  std::int64_t out = 1;
  for (; b > 0; --b) {
    require(!__builtin_mul_overflow(out, a, &out),
            "arithmetic of sizes overflows");
  }
  return out;
}

/// f(a, b) of whole numbers or g(a, b) of others.
template <class F, class G>
void two(Stack& stack, F&& f, G&& g) {
  const IValue b = torch::jit::pop(stack), a = torch::jit::pop(stack);
  if (is_whole(a) && is_whole(b)) {
    stack.emplace_back(f(whole(a), whole(b)));
  } else {
    stack.emplace_back(g(real(a), real(b)));
  }
}

template <class F>
void compare(Stack& stack, F&& f) {
  two(stack, f, f);
}

template <class F>
void one_real(Stack& stack, F&& f) {
  const double x = real(torch::jit::pop(stack));
  stack.emplace_back(f(x));
}

void add(Stack& stack) {
  two(
      stack,
      [](std::int64_t a, std::int64_t b) {
        std::int64_t out = 0;
        require(!__builtin_add_overflow(a, b, &out),
                "arithmetic of sizes overflows");
        return out;
      },
      [](double a, double b) { return a + b; });
}

void subtract(Stack& stack) {
  two(
      stack,
      [](std::int64_t a, std::int64_t b) {
        std::int64_t out = 0;
        require(!__builtin_sub_overflow(a, b, &out),
                "arithmetic of sizes overflows");
        return out;
      },
      [](double a, double b) { return a - b; });
}

void multiply(Stack& stack) {
  two(
      stack,
      [](std::int64_t a, std::int64_t b) {
        std::int64_t out = 0;
        require(!__builtin_mul_overflow(a, b, &out),
                "arithmetic of sizes overflows");
        return out;
      },
      [](double a, double b) { return a * b; });
}

void divide(Stack& stack) {
  const auto quotient = [](double a, double b) {
    require(b != 0, "arithmetic of sizes divides by zero");
    return a / b;
  };
  const double b = real(torch::jit::pop(stack));
  stack.emplace_back(quotient(real(torch::jit::pop(stack)), b));
}

void floor_divide(Stack& stack) {
  two(stack, floor_div, [](double a, double b) { return std::floor(a / b); });
}

void remainder(Stack& stack) {
  two(
      stack,
      [](std::int64_t a, std::int64_t b) {
        const std::int64_t q = floor_div(a, b);
        return a - q * b;
      },
      [](double a, double b) { return a - std::floor(a / b) * b; });
}

void raise(Stack& stack) {
  two(stack, power, [](double a, double b) { return std::pow(a, b); });
}

void negate(Stack& stack) {
  const IValue a = torch::jit::pop(stack);
  if (is_whole(a)) {
    require(whole(a) != INT64_MIN, "arithmetic of sizes overflows");
    stack.emplace_back(-whole(a));
  } else {
    stack.emplace_back(-real(a));
  }
}

void choose(Stack& stack) {
  const auto arguments = torch::jit::pop(stack, 3);
  stack.push_back(real(arguments[0]) != 0 ? arguments[1] : arguments[2]);
}

}  // namespace

const std::vector<SymbolicOperator>& symbolic_operators() {
  static const std::vector<SymbolicOperator> all = {
      {"_operator.add", 2, add},
      {"_operator.sub", 2, subtract},
      {"_operator.mul", 2, multiply},
      {"_operator.truediv", 2, divide},
      {"_operator.floordiv", 2, floor_divide},
      {"_operator.mod", 2, remainder},
      {"_operator.pow", 2, raise},
      {"_operator.neg", 1, negate},
      {"_operator.pos", 1, [](Stack&) {}},
      {"_operator.eq", 2,
       [](Stack& s) { compare(s, [](auto a, auto b) { return a == b; }); }},
      {"_operator.ne", 2,
       [](Stack& s) { compare(s, [](auto a, auto b) { return a != b; }); }},
      {"_operator.lt", 2,
       [](Stack& s) { compare(s, [](auto a, auto b) { return a < b; }); }},
      {"_operator.le", 2,
       [](Stack& s) { compare(s, [](auto a, auto b) { return a <= b; }); }},
      {"_operator.gt", 2,
       [](Stack& s) { compare(s, [](auto a, auto b) { return a > b; }); }},
      {"_operator.ge", 2,
       [](Stack& s) { compare(s, [](auto a, auto b) { return a >= b; }); }},
      {"_operator.and_", 2,
       [](Stack& s) { compare(s, [](auto a, auto b) { return a && b; }); }},
      {"_operator.or_", 2,
       [](Stack& s) { compare(s, [](auto a, auto b) { return a || b; }); }},
      {"torch.sym_not", 1,
       [](Stack& s) { one_real(s, [](double a) { return a == 0; }); }},
      {"torch.sym_max", 2,
       [](Stack& s) {
         compare(s, [](auto a, auto b) { return std::max(a, b); });
       }},
      {"torch.sym_min", 2,
       [](Stack& s) {
         compare(s, [](auto a, auto b) { return std::min(a, b); });
       }},
      {"torch.sym_float", 1,
       [](Stack& s) { one_real(s, [](double a) { return a; }); }},
      {"torch.sym_int", 1, [](Stack& s) { one_real(s, to_whole); }},
      {"math.trunc", 1, [](Stack& s) { one_real(s, to_whole); }},
      {"torch._sym_sqrt", 1,
       [](Stack& s) { one_real(s, [](double a) { return std::sqrt(a); }); }},
      {"torch.sym_ite", 3, choose}};
  return all;
}

}  // namespace nestgrad
