#include "core/distributed/place.h"

#include <cstdlib>
#include <optional>

#include "core/platform/error.h"

namespace nestgrad {
namespace {

constexpr int kUsualPort = 29500;  // of PyTorch's launchers

const char* text(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : nullptr;
}

std::optional<int> number(const char* name) {
  const char* const value = text(name);
  if (value == nullptr) return {};
  char* end = nullptr;
  const long n = std::strtol(value, &end, 10);
  require(*end == '\0' && n >= 0 && n <= 1 << 24,
          "the environment variable {} must be a whole number, is '{}'", name,
          value);
  return static_cast<int>(n);
}

/// The variables by which a launcher tells a rank where it is.
struct Variables {
  const char *rank, *size, *local_rank, *local_size;
};

constexpr Variables kTorchrun{"RANK", "WORLD_SIZE", "LOCAL_RANK",
                              "LOCAL_WORLD_SIZE"};
constexpr Variables kMpirun{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE",
                            "OMPI_COMM_WORLD_LOCAL_RANK",
                            "OMPI_COMM_WORLD_LOCAL_SIZE"};
// Slurm says how many tasks there are on each host in a form like "2(x3),1".
// Where this is no number, hosts are taken to be several.
constexpr Variables kSrun{"SLURM_PROCID", "SLURM_STEP_NUM_TASKS",
                          "SLURM_LOCALID", "SLURM_STEP_TASKS_PER_NODE"};

/// Whether the launcher with these variables has started this process.
bool read(const Variables& names, RankPlace& place) {
  const auto rank = number(names.rank), size = number(names.size);
  if (!rank && !size) return false;
  require(rank && size, "the environment variable {} is set, and {} is not",
          rank ? names.rank : names.size, rank ? names.size : names.rank);
  require(*rank < *size,
          "the environment variable {} is {}; it must be below "
          "{}, {}",
          names.rank, *rank, names.size, *size);
  place.rank = *rank;
  place.size = *size;
  place.local_rank = number(names.local_rank).value_or(0);
  const char* const local = text(names.local_size);
  const bool is_number =
      local != nullptr &&
      std::string(local).find_first_not_of("0123456789") == std::string::npos;
  place.local_size = is_number ? *number(names.local_size) : 1;
  require(place.local_size > 0, "the environment variable {} must be above 0",
          names.local_size);
  return true;
}

}  // namespace

RankPlace place_in_environment() {
  RankPlace out;
  // A batch script of Slurm has SLURM_PROCID, too, and is no step.
  const bool launched = read(kTorchrun, out) || read(kMpirun, out) ||
                        (text("SLURM_STEP_ID") != nullptr && read(kSrun, out));
  if (!launched || out.size == 1) return out;
  const char* const address = text("MASTER_ADDR");
  require(address != nullptr || out.local_size == out.size,
          "ranks on several hosts need the environment variable MASTER_ADDR: "
          "the name or the address of the host of rank 0");
  if (address != nullptr) out.address = address;
  out.port = number("MASTER_PORT").value_or(kUsualPort);
  const char* const keeps = text("TORCHELASTIC_USE_AGENT_STORE");
  out.launcher_keeps_store = keeps != nullptr && std::string(keeps) == "True";
  // A store may have the keys of another job or of an attempt before this one.
  for (const char* const name :
       {"TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT", "PMIX_NAMESPACE",
        "SLURM_JOB_ID", "SLURM_STEP_ID"}) {
    const char* const value = text(name);
    if (value != nullptr) out.prefix += fmt::format("{}/", value);
  }
  return out;
}

}  // namespace nestgrad
