#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace nestgrad {

/// Another program that reads lines and answers each with a line. It ends with
/// this object. What it writes to its standard error is left out.
class Conversation {
 public:
  /// `words`: the program, looked for in the PATH, and its arguments. A program
  /// that is not there answers nothing.
  explicit Conversation(const std::vector<std::string>& words);
  ~Conversation();
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  /// Sends a line, without a line break in it, and waits for the answer.
  /// Nothing if the program has ended.
  std::optional<std::string> ask(const std::string& line);

 private:
  pid_t process_ = -1;
  int socket_ = -1;
  std::string unread_;
};

}  // namespace nestgrad
