#include "core/platform/files.h"

#include <sys/stat.h>

#include <filesystem>

#include "core/platform/error.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {

namespace fs = std::filesystem;

TEST_CASE("a symbolic link stays, and its target is written", "[files]") {
  const TemporaryFolder folder;
  folder.write("real", "old");
  fs::create_directory(folder.path("other"));
  fs::create_symlink("real", folder.path("link"));
  fs::create_symlink("../link", folder.path("other/second"));
  write_file(folder.path("other/second"), "new");
  CHECK(fs::is_symlink(folder.path("link")));
  CHECK(fs::is_symlink(folder.path("other/second")));
  CHECK(read_file(folder.path("real")) == "new");
  // A target that is missing is created.
  fs::create_symlink(folder.path("other/missing"), folder.path("ahead"));
  write_file(folder.path("ahead"), "first");
  CHECK(read_file(folder.path("other/missing")) == "first");
  fs::create_symlink("circle", folder.path("circle"));
  CHECK_THROWS_WITH(write_file(folder.path("circle"), "x"),
                    ContainsSubstring("symbolic links"));
  fs::create_symlink("/dev/null", folder.path("device"));
  CHECK_THROWS_WITH(write_file(folder.path("device"), "x"),
                    ContainsSubstring("is not a regular file"));
}

TEST_CASE("a file that is replaced keeps its permissions", "[files]") {
  const TemporaryFolder folder;
  folder.write("secret", "old");
  fs::permissions(folder.path("secret"),
                  fs::perms::owner_read | fs::perms::owner_write);
  write_file(folder.path("secret"), "new");
  struct stat status = {};
  REQUIRE(::stat(folder.path("secret").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
}

TEST_CASE("what the system does not tell is an error with path and reason",
          "[files]") {
  const TemporaryFolder folder;
  folder.write("file", "x");
  CHECK(file_exists(folder.path("file")));
  CHECK_FALSE(folder_exists(folder.path("file")));
  CHECK(folder_exists(folder.path("")));
  CHECK_FALSE(file_exists(folder.path("none")));
  CHECK_FALSE(file_exists(folder.path("file/below")));
  fs::create_symlink("loop", folder.path("loop"));
  const std::string long_name = folder.path(std::string(300, 'x'));
  for (const std::string& path : {folder.path("loop"), long_name}) {
    CAPTURE(path);
    for (const auto& ask : {file_exists, folder_exists}) {
      try {
        ask(path);
        FAIL("nothing was thrown");
      } catch (const Error& error) {
        CHECK_THAT(error.what(),
                   ContainsSubstring("cannot read '" + path + "': "));
      }
    }
    CHECK_THROWS_AS(names_in(path), Error);
    CHECK_THROWS_AS(make_folders(path), Error);
  }
  CHECK(names_in(folder.path("")) == std::vector<std::string>{"file", "loop"});
  CHECK(names_in(folder.path("none")).empty());
  CHECK_NOTHROW(remove_file(folder.path("none")));
  CHECK_THROWS_AS(remove_file(long_name), Error);
}

}  // namespace nestgrad
