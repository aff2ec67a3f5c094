#pragma once

#include <cstdint>

namespace nestgrad {

// The BLAS that LibTorch computes with, asked directly. It is looked up in the
// process, so nothing here needs one at build time, and each answer says what
// becomes of a LibTorch whose BLAS cannot be seen.

/// OpenBLAS's answer to openblas_get_parallel(): 0 sequential, 1 threads of its
/// own, 2 OpenMP; -1 for another BLAS.
int blas_parallel();

/// How many threads it has, 0 if it does not tell.
int blas_threads();

/// Does nothing for another BLAS than OpenBLAS.
void set_blas_threads(int n);

/// A matrix in the memory of a CPU, row by row or, if transposed, column by
/// column; `step` from one to the next, in numbers.
template <class Number>
struct Matrix {
  Number* data;
  int step;
  bool transposed;
};

/// Whether gemm() can be called.
bool has_gemm();

/// C = A B, with C [rows, columns] row by row and A [rows, inner].
void gemm(int rows, int columns, int inner, Matrix<const float> a,
          Matrix<const float> b, float* c);
void gemm(int rows, int columns, int inner, Matrix<const double> a,
          Matrix<const double> b, double* c);

}  // namespace nestgrad
