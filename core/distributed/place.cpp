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

/// The variables by which a launcher tells a rank where it is, and those that
/// name the job.
struct Variables {
  const char *rank, *size, *local_size;
  std::vector<const char*> job;
};

const Variables& torchrun() {
  static const Variables names{
      "RANK",
      "WORLD_SIZE",
      "LOCAL_WORLD_SIZE",
      {"TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT"}};
  return names;
}

const Variables& mpirun() {
  static const Variables names{"OMPI_COMM_WORLD_RANK",
                               "OMPI_COMM_WORLD_SIZE",
                               "OMPI_COMM_WORLD_LOCAL_SIZE",
                               {"PMIX_NAMESPACE"}};
  return names;
}

// Slurm says how many tasks there are on each host in a form like "2(x3),1".
// Where this is no number, hosts are taken to be several.
const Variables& srun() {
  static const Variables names{"SLURM_PROCID",
                               "SLURM_STEP_NUM_TASKS",
                               "SLURM_STEP_TASKS_PER_NODE",
                               {"SLURM_JOB_ID", "SLURM_STEP_ID"}};
  return names;
}

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
  const char* const local = text(names.local_size);
  const bool is_number =
      local != nullptr &&
      std::string(local).find_first_not_of("0123456789") == std::string::npos;
  place.local_size = is_number ? *number(names.local_size) : 1;
  require(place.local_size > 0, "the environment variable {} must be above 0",
          names.local_size);
  // A store may have the keys of another job or of an attempt before this one.
  for (const char* const name : names.job) {
    const char* const value = text(name);
    if (value != nullptr) place.prefix += fmt::format("{}/", value);
  }
  return true;
}

}  // namespace

RankPlace place_in_environment() {
  RankPlace out;
  // A batch script of Slurm has SLURM_PROCID, too, and is no step.
  const bool by_torchrun = read(torchrun(), out);
  const bool launched = by_torchrun || read(mpirun(), out) ||
                        (text("SLURM_STEP_ID") != nullptr && read(srun(), out));
  out.launcher_binds = !by_torchrun;
  if (!launched || out.size == 1) return out;
  const char* const address = text("MASTER_ADDR");
  require(address != nullptr || out.local_size == out.size,
          "ranks on several hosts need the environment variable MASTER_ADDR: "
          "the name or the address of the host of rank 0");
  if (address != nullptr) out.address = address;
  out.port = number("MASTER_PORT").value_or(kUsualPort);
  const char* const keeps = text("TORCHELASTIC_USE_AGENT_STORE");
  out.launcher_keeps_store = keeps != nullptr && std::string(keeps) == "True";
  return out;
}

std::vector<std::string> rank_variables() {
  std::vector<std::string> out;
  for (const Variables* names : {&torchrun(), &mpirun(), &srun()}) {
    out.insert(out.end(), {names->rank, names->size});
  }
  return out;
}

}  // namespace nestgrad
