#include "core/platform/threads.h"

#include <sched.h>

#include <filesystem>

#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

/// A root folder with these files.
class Root {
 public:
  Root(std::initializer_list<std::pair<std::string, std::string>> files) {
    for (const auto& [name, text] : files) {
      std::filesystem::create_directories(
          std::filesystem::path(folder_.path(name)).parent_path());
      folder_.write(name, text);
    }
  }
  int cores() const { return cores_of_control_group(folder_.path("")); }
  int available() const { return available_cores(folder_.path("")); }

 private:
  TemporaryFolder folder_;
};

}  // namespace

TEST_CASE("processor time that a control group grants counts as cores",
          "[threads]") {
  const std::string groups = "proc/self/cgroup", two = "sys/fs/cgroup";
  CHECK(Root({}).cores() == 0);
  CHECK(Root({{groups, "0::/job\n"}}).cores() == 0);
  CHECK(Root({{groups, "0::/job\n"}, {two + "/job/cpu.max", "max 100000\n"}})
            .cores() == 0);
  CHECK(Root({{groups, "0::/job\n"}, {two + "/job/cpu.max", "200000 100000\n"}})
            .cores() == 2);
  CHECK(Root({{groups, "0::/job\n"}, {two + "/job/cpu.max", "150000 100000\n"}})
            .cores() == 2);
  CHECK(Root({{groups, "0::/job\n"}, {two + "/job/cpu.max", "10000 100000\n"}})
            .cores() == 1);
  // A container sees its own group as the root.
  CHECK(Root({{groups, "0::/\n"}, {two + "/cpu.max", "300000 100000\n"}})
            .cores() == 3);
  // The least of a group and of those above it.
  CHECK(Root({{groups, "0::/a/b\n"},
              {two + "/a/b/cpu.max", "400000 100000\n"},
              {two + "/a/cpu.max", "200000 100000\n"}})
            .cores() == 2);
  CHECK(Root({{groups, "0::/\n"}, {two + "/cpu.max", "10000 100000\n"}})
            .available() == 1);
}

TEST_CASE("control groups of version 1 limit cores, too", "[threads]") {
  const std::string groups = "proc/self/cgroup",
                    mount = "sys/fs/cgroup/cpu,cpuacct";
  const std::string lines =
      "5:cpuset:/job\n4:cpu,cpuacct:/job\n1:name=systemd:/job\n";
  CHECK(Root({{groups, lines},
              {mount + "/job/cpu.cfs_quota_us", "500000\n"},
              {mount + "/job/cpu.cfs_period_us", "100000\n"}})
            .cores() == 5);
  CHECK(Root({{groups, lines},
              {mount + "/job/cpu.cfs_quota_us", "-1\n"},
              {mount + "/job/cpu.cfs_period_us", "100000\n"}})
            .cores() == 0);
  // In a container the path is that of the host, and the mount is its root.
  CHECK(Root({{groups, lines},
              {mount + "/cpu.cfs_quota_us", "100000\n"},
              {mount + "/cpu.cfs_period_us", "100000\n"}})
            .cores() == 1);
}

TEST_CASE("the cores of a process are those that it may run on", "[threads]") {
  cpu_set_t before;
  REQUIRE(sched_getaffinity(0, sizeof before, &before) == 0);
  const int all = available_cores();
  CHECK(all >= 1);
  CHECK(all <= CPU_COUNT(&before));
  int first = 0;
  while (!CPU_ISSET(first, &before)) ++first;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
  const int restricted = available_cores();
  REQUIRE(sched_setaffinity(0, sizeof before, &before) == 0);
  CHECK(restricted == 1);
}

}  // namespace nestgrad
