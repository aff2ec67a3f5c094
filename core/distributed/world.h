#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/distributed/place.h"
#include "core/platform/error.h"

namespace nestgrad {

using at::Tensor;

/// Ranks cannot go on together: one is gone, hangs or has failed, or they are
/// not alike. The sentence says which and why. The world must not be used any
/// more.
class RankLost : public Error {
 public:
  using Error::Error;
};

/// What a rank has exchanged with others.
struct Traffic {
  std::int64_t exchanges = 0;
  std::int64_t short_ones = 0;  ///< of them, those of one number
  std::int64_t bytes = 0;       ///< that this rank has given

  void count(std::int64_t more) {
    ++exchanges;
    if (more <= 8) ++short_ones;
    bytes += more;
  }
};

/// All ranks of a run: processes on one host or several that do the same and
/// share some of the work.
///
/// Functions with the note "collective" are called by all ranks, in the same
/// order, from one thread. They throw RankLost if a rank does not come.
class World {
 public:
  virtual ~World() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  bool alone() const { return size() == 1; }
  bool is_first() const { return rank() == 0; }

  /// Collective. What each rank has, [size, ...]; alike on all ranks, on the
  /// CPU.
  virtual Tensor gather(const Tensor& own) = 0;

  /// Collective. The sum over ranks of what each has, floating-point numbers of
  /// one shape; the same bits on all ranks, on the device of `own`.
  virtual Tensor sum(const Tensor& own) = 0;

  /// Collective. The bytes that rank 0 has; the others wait for them as long as
  /// rank 0 lives, however long it computes before.
  virtual std::string from_first(const std::string& bytes) = 0;

  /// The other ranks will throw RankLost with this reason.
  virtual void fail(const std::string& reason) = 0;

  /// There will be no further collective: other ranks may end before this one.
  virtual void part() = 0;

  // Of all collectives so far.
  const Traffic& gathers() const { return gathers_; }
  const Traffic& sums() const { return sums_; }
  std::int64_t collectives() const {
    return gathers_.exchanges + sums_.exchanges + from_first_.exchanges;
  }

 protected:
  Traffic gathers_, sums_, from_first_;
};

/// A run of one process.
std::shared_ptr<World> alone();

/// How long ranks wait for each other.
struct Patience {
  double join = 300;         ///< seconds for a rank that starts late
  double silent = 10;        ///< seconds without a sign of life
  double collective = 1800;  ///< seconds for a rank that computes longer
};

/// Joins the other ranks: LibTorch's c10d with Gloo. `interface`: the network
/// interface by which ranks talk; "": the one that leads to rank 0. Returns
/// alone() for one rank. Throws RankLost if a rank does not start in time, and
/// Error if this program has been built without c10d.
std::shared_ptr<World> join(const RankPlace& place, const Patience& patience,
                            const std::string& interface);

/// A part of `n` things for each rank: parts follow each other and differ in
/// size by one at most.
struct Division {
  Division(std::int64_t n, const World& world)
      : Division(n, world.rank(), world.size()) {}
  Division(std::int64_t n, std::int64_t part, std::int64_t parts)
      : first(n * part / parts), count(n * (part + 1) / parts - first) {}

  std::int64_t first, count;
};

/// Collective. Rows of which each rank has the part of a Division, in order;
/// `own`: [count, ...], the result [n, ...], on the device of `own`.
Tensor gather_rows(World& world, const Tensor& own, std::int64_t n);

/// Collective. The bytes that each rank has.
std::vector<std::string> gather_bytes(World& world, const std::string& own);

}  // namespace nestgrad
