#include "core/distributed/place.h"

#include <cstdlib>
#include <map>

#include "core/distributed/world.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

/// The place in an environment that has nothing else of launchers.
RankPlace place_in(const std::map<std::string, std::string>& environment) {
  for (const std::string& name : rank_variables()) unsetenv(name.c_str());
  for (const char* name :
       {"MASTER_ADDR", "MASTER_PORT", "SLURM_STEP_ID",
        "TORCHELASTIC_USE_AGENT_STORE", "LOCAL_WORLD_SIZE"}) {
    unsetenv(name);
  }
  for (const auto& [name, value] : environment) {
    setenv(name.c_str(), value.c_str(), 1);
  }
  const auto clear = [&] {
    for (const auto& entry : environment) unsetenv(entry.first.c_str());
  };
  try {
    const RankPlace out = place_in_environment();
    clear();
    return out;
  } catch (...) {
    clear();
    throw;
  }
}

}  // namespace

TEST_CASE("a process without a launcher is the only rank", "[distributed]") {
  const RankPlace place = place_in({});
  CHECK(place.size == 1);
  CHECK(place.rank == 0);
  CHECK(join(place, {}, "")->alone());
}

TEST_CASE("torchrun, mpirun and srun are understood", "[distributed]") {
  const RankPlace torchrun = place_in({{"RANK", "3"},
                                       {"WORLD_SIZE", "4"},
                                       {"LOCAL_WORLD_SIZE", "2"},
                                       {"MASTER_ADDR", "node7"},
                                       {"MASTER_PORT", "1234"},
                                       {"TORCHELASTIC_USE_AGENT_STORE", "True"},
                                       {"TORCHELASTIC_RESTART_COUNT", "2"}});
  CHECK(torchrun.rank == 3);
  CHECK(torchrun.size == 4);
  CHECK(torchrun.local_size == 2);
  CHECK(torchrun.address == "node7");
  CHECK(torchrun.port == 1234);
  CHECK(torchrun.launcher_keeps_store);
  CHECK(torchrun.prefix == "2/");

  const RankPlace mpirun = place_in({{"OMPI_COMM_WORLD_RANK", "1"},
                                     {"OMPI_COMM_WORLD_SIZE", "2"},
                                     {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}});
  CHECK(mpirun.rank == 1);
  CHECK(mpirun.size == 2);
  CHECK(mpirun.address == "127.0.0.1");
  CHECK(mpirun.port == 29500);
  CHECK_FALSE(mpirun.launcher_keeps_store);

  std::map<std::string, std::string> slurm{
      {"SLURM_PROCID", "5"},
      {"SLURM_STEP_NUM_TASKS", "6"},
      {"SLURM_STEP_TASKS_PER_NODE", "2(x3)"},
      {"MASTER_ADDR", "node7"}};
  CHECK(place_in(slurm).size == 1);  // a batch script
  slurm["SLURM_STEP_ID"] = "0";
  CHECK(place_in(slurm).rank == 5);
  CHECK(place_in(slurm).size == 6);
  CHECK(place_in(slurm).local_size == 1);  // not known
}

TEST_CASE("an environment that contradicts itself is told", "[distributed]") {
  CHECK_THROWS_WITH(place_in({{"RANK", "1"}}),
                    ContainsSubstring("RANK is set, and WORLD_SIZE is not"));
  CHECK_THROWS_WITH(place_in({{"RANK", "two"}, {"WORLD_SIZE", "2"}}),
                    ContainsSubstring("must be a whole number, is 'two'"));
  CHECK_THROWS_WITH(place_in({{"RANK", "2"}, {"WORLD_SIZE", "2"}}),
                    ContainsSubstring("must be below WORLD_SIZE, 2"));
  CHECK_THROWS_WITH(
      place_in({{"RANK", "0"}, {"WORLD_SIZE", "4"}, {"LOCAL_WORLD_SIZE", "2"}}),
      ContainsSubstring("need the environment variable "
                        "MASTER_ADDR"));
}

TEST_CASE("parts of a division follow each other and are of nearly one size",
          "[distributed]") {
  for (const std::int64_t n : {1, 2, 5, 7, 100}) {
    for (const std::int64_t parts : {1, 2, 3, 4, 7}) {
      std::int64_t next = 0, least = n, most = 0;
      for (std::int64_t i = 0; i < parts; ++i) {
        const Division part(n, i, parts);
        CHECK(part.first == next);
        next += part.count;
        least = std::min(least, part.count);
        most = std::max(most, part.count);
      }
      CHECK(next == n);
      CHECK(most - least <= 1);
    }
  }
}

}  // namespace nestgrad
