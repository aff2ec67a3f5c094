#pragma once

namespace nestgrad {

/// Makes standard input, output and error safe to use. The first call of
/// main().
///
/// - Where their descriptors are closed, they are opened on /dev/null.
///   Otherwise a file of the program would get such a number, and what is
///   printed would be written into it.
/// - Printing to `stdout`, `stderr` or std::cout does not fail in the midst of
///   the work: on a full disk, on a terminal that is gone, or when the reader
///   of a pipe has ended. What cannot be written is dropped; see
///   output_failure().
void guard_standard_streams();

/// Flushes standard output. The errno of its first failure, EPIPE if its reader
/// has ended; 0 if all was written.
int output_failure();

/// Whether the reader of standard output has ended, as far as the program has
/// noticed.
bool reader_has_ended();

}  // namespace nestgrad
