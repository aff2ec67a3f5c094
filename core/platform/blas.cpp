#include "core/platform/blas.h"

#include "core/platform/symbol.h"

namespace nestgrad {
namespace {

/// sgemm and dgemm of Fortran, C = alpha A B + beta C column by column.
template <class Number>
using Gemm = void(const char* a_transposed, const char* b_transposed,
                  const int* rows, const int* columns, const int* inner,
                  const Number* alpha, const Number* a, const int* a_step,
                  const Number* b, const int* b_step, const Number* beta,
                  Number* c, const int* c_step);

Gemm<float>* sgemm() {
  static const auto found = symbol<Gemm<float>>("sgemm_");
  return found;
}

Gemm<double>* dgemm() {
  static const auto found = symbol<Gemm<double>>("dgemm_");
  return found;
}

/// C stored row by row is C' stored column by column, and C' = B' A'.
template <class Number>
void call(Gemm<Number>* fortran, int rows, int columns, int inner,
          Matrix<const Number> a, Matrix<const Number> b, Number* c) {
  const Number one = 1, zero = 0;
  fortran(b.transposed ? "T" : "N", a.transposed ? "T" : "N", &columns, &rows,
          &inner, &one, b.data, &b.step, a.data, &a.step, &zero, c, &columns);
}

}  // namespace

int blas_parallel() {
  static const auto get = symbol<int()>("openblas_get_parallel");
  return get != nullptr ? get() : -1;
}

int blas_threads() {
  static const auto get = symbol<int()>("openblas_get_num_threads");
  return get != nullptr ? get() : 0;
}

void set_blas_threads(int n) {
  static const auto set = symbol<void(int)>("openblas_set_num_threads");
  if (set != nullptr) set(n);
}

bool has_gemm() { return sgemm() != nullptr && dgemm() != nullptr; }

void gemm(int rows, int columns, int inner, Matrix<const float> a,
          Matrix<const float> b, float* c) {
  call(sgemm(), rows, columns, inner, a, b, c);
}

void gemm(int rows, int columns, int inner, Matrix<const double> a,
          Matrix<const double> b, double* c) {
  call(dgemm(), rows, columns, inner, a, b, c);
}

}  // namespace nestgrad
