#pragma once

#include <cstdint>

namespace nestgrad {

// Direct access to the BLAS that LibTorch uses. Its functions are looked up in
// the running process, so the build needs no BLAS. Each comment says what
// happens if the function is not found.

/// OpenBLAS's answer to openblas_get_parallel(): 0 sequential, 1 threads of its
/// own, 2 OpenMP; -1 for another BLAS.
int blas_parallel();

/// Number of threads of OpenBLAS; 0 for another BLAS.
int blas_threads();

/// Does nothing unless the BLAS is OpenBLAS.
void set_blas_threads(int n);

/// A matrix in CPU memory, stored row by row or, if `transposed`, column by
/// column. `step` is the distance from one row (or column) to the next, in
/// numbers.
template <class Number>
struct Matrix {
  Number* data;
  int step;
  bool transposed;
};

/// Whether the BLAS has sgemm and dgemm. gemm() REQUIRES it.
bool has_gemm();

/// C = A B. C [rows, columns] is stored row by row; A is [rows, inner].
void gemm(int rows, int columns, int inner, Matrix<const float> a,
          Matrix<const float> b, float* c);
void gemm(int rows, int columns, int inner, Matrix<const double> a,
          Matrix<const double> b, double* c);

}  // namespace nestgrad
