#pragma once

namespace nestgrad {

/// Tells standard error in one sentence why a command has failed, and returns
/// its exit code. Called in a handler of exceptions.
int report_failure() noexcept;

/// The exit code of a command that has done its work: `code`, unless standard
/// output could not be written. Of a full disk standard error is told; a reader
/// that has ended (nestgrad list | head) is no news to anybody.
int code_after_output(int code);

}  // namespace nestgrad
