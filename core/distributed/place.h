#pragma once

#include <string>
#include <vector>

namespace nestgrad {

/// Which of the processes of a run this one is, as its launcher says in the
/// environment. A process is called a rank.
struct RankPlace {
  int rank = 0, size = 1;  ///< among all ranks
  int local_size = 1;      ///< ranks of this host

  /// Whether the launcher may give each rank cores of its own.
  bool launcher_binds = false;

  /// Of the store.
  std::string address = "127.0.0.1";
  int port = 0;

  bool launcher_keeps_store = false;  ///< as torchrun does
  std::string prefix;                 ///< of this job's keys in the store
};

/// What torchrun, mpirun (Open MPI) or srun say; one rank if nobody says
/// anything:
///
///   torchrun   RANK, WORLD_SIZE, LOCAL_WORLD_SIZE
///   mpirun     OMPI_COMM_WORLD_RANK, _SIZE, _LOCAL_SIZE
///   srun       SLURM_PROCID, SLURM_STEP_NUM_TASKS, SLURM_STEP_TASKS_PER_NODE
///
/// MASTER_ADDR and MASTER_PORT (29500 if missing) are the address of rank 0,
/// where the store is by which ranks find each other; the first is needed on
/// several hosts. Throws Error where the variables contradict each other.
RankPlace place_in_environment();

/// The names of the variables by which launchers say so: without them a process
/// is the only rank.
std::vector<std::string> rank_variables();

}  // namespace nestgrad
