// Ranks that talk by LibTorch's c10d.

#include "core/distributed/world.h"

#ifndef NESTGRAD_C10D

namespace nestgrad {

std::shared_ptr<World> join(const RankPlace& place, const Patience&,
                            const std::string&) {
  require(place.size == 1,
          "several ranks need c10d, which this program has been built without: "
          "the headers of Gloo (libgloo-dev) or a LibTorch with Gloo were "
          "missing");
  return alone();
}

}  // namespace nestgrad

#else

#include <ATen/ATen.h>

#include <chrono>
#include <future>
#include <thread>

#include "core/distributed/address.h"
#include "core/distributed/c10d.h"
#include "core/distributed/watch.h"
#include "core/platform/exceptions.h"

namespace nestgrad {
namespace {

using Store = c10::intrusive_ptr<c10d::Store>;

/// What is longer is not kept in the store but sent.
constexpr std::size_t kShort = 1 << 16;  // bytes

constexpr double kLook = 0.02;  // seconds between two looks

std::chrono::milliseconds milliseconds(double seconds) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(1000 * seconds));
}

void sleep(double seconds) {
  std::this_thread::sleep_for(milliseconds(seconds));
}

Store open_store(const RankPlace& place, double seconds, bool keep) {
  c10d::TCPStoreOptions options;
  options.port = static_cast<std::uint16_t>(place.port);
  options.isServer = keep;
  options.waitWorkers = false;
  leave_libuv(options, 0);
  options.timeout = milliseconds(seconds);
  try {
    return c10::make_intrusive<c10d::TCPStore>(place.address, options);
  } catch (const std::exception& error) {
    const std::string at = fmt::format("{}:{}", place.address, place.port);
    if (keep) {
      throw Error(
          fmt::format("rank 0 cannot listen at {}: {}", at, one_line(error)));
    }
    throw RankLost(fmt::format(
        "rank {} has not reached rank 0 at {} within {:g} seconds: rank 0 does "
        "not run there, or a firewall is between",
        place.rank, at, seconds));
  }
}

class C10dWorld : public World {
 public:
  C10dWorld(const RankPlace& place, const Patience& patience,
            const std::string& interface)
      : place_(place),
        patience_(patience),
        store_(part_of_store(
            open_store(place, patience.join,
                       place.rank == 0 && !place.launcher_keeps_store))) {
    wait_for_all();
    watch_ = std::make_unique<Watch>(
        part_of_store(open_store(place, patience.join, false)), place.rank,
        place.size, patience.silent);
    try {
      const auto options = options_for(interface);
      group_ = patiently([=, store = store_] {
        return c10::make_intrusive<c10d::ProcessGroupGloo>(store, place.rank,
                                                           place.size, options);
      });
    } catch (const RankLost&) {
      (void)watch_.release();  // its thread may be stuck
      throw;
    } catch (const std::exception& error) {
      fail(one_line(error));
      stay_for_readers();
      throw;
    }
  }

  ~C10dWorld() override {
    // The destructor would wait for collectives that never end.
    if (failed_) {
      stay_for_readers();
      (void)group_.release();
      return;
    }
    part();
    try {
      store_->add("left", 1);
      constexpr int kLooks = 100;
      for (int i = 0;
           i < kLooks && keeps_store() && store_->add("left", 0) < size();
           ++i) {
        sleep(kLook);
      }
    } catch (const std::exception&) {
      // Who keeps it has ended.
    }
  }

  int rank() const override { return place_.rank; }
  int size() const override { return place_.size; }

  Tensor gather(const Tensor& own) override {
    Tensor in = own.detach().to(at::kCPU).contiguous();
    std::vector<std::int64_t> sizes = in.sizes().vec();
    sizes.insert(sizes.begin(), size());
    const Tensor out = at::empty(sizes, in.options());
    using Tensors = std::vector<Tensor>;
    std::vector<Tensors> outs{out.unbind()};
    Tensors ins{in};
    complete([&] { return group_->allgather(outs, ins); });
    gathers_.count(static_cast<std::int64_t>(in.nbytes()));
    return out;
  }

  Tensor sum(const Tensor& own) override {
    // Gloo writes the sum over what it is given.
    Tensor out = at::empty(own.sizes(), own.options().device(at::kCPU));
    out.copy_(own.detach());
    std::vector<Tensor> outs{out};
    complete([&] { return group_->allreduce(outs); });
    sums_.count(static_cast<std::int64_t>(out.nbytes()));
    return out.to(own.device());
  }

  std::string from_first(const std::string& bytes) override {
    const std::string key = fmt::format("said/{}", ++said_);
    std::string said = std::to_string(bytes.size()) + " ";
    if (bytes.size() <= kShort) said += bytes;
    said = patiently([first = is_first(), store = store_, key, said] {
      if (first) store->set(key, as_bytes(said));
      while (!store->check({key})) sleep(kLook);
      return as_text(store->get(key));
    });
    const std::size_t length = std::stoull(said);
    if (length <= kShort) {
      from_first_.count(static_cast<std::int64_t>(length));
      return said.substr(said.find(' ') + 1);
    }
    Tensor all = at::empty({static_cast<std::int64_t>(length)}, at::kByte);
    if (is_first()) {
      std::copy(bytes.begin(), bytes.end(), all.data_ptr<std::uint8_t>());
    }
    std::vector<Tensor> tensors{all};
    complete([&] { return group_->broadcast(tensors); });
    from_first_.count(static_cast<std::int64_t>(length));
    return {all.data_ptr<std::uint8_t>(),
            all.data_ptr<std::uint8_t>() + all.numel()};
  }

  void fail(const std::string& reason) override {
    failed_ = true;
    if (!parted_) watch_->tell(fmt::format("rank {}: {}", rank(), reason));
  }

  void part() override {
    parted_ = true;
    watch_->leave();
  }

 private:
  c10::intrusive_ptr<c10d::ProcessGroupGloo::Options> options_for(
      const std::string& interface) const {
    const auto out = c10d::ProcessGroupGloo::Options::create(
        milliseconds(patience_.collective));
    out->devices.push_back(
        interface.empty()
            ? c10d::ProcessGroupGloo::createDeviceForHostname(
                  own_address(place_))
            : c10d::ProcessGroupGloo::createDeviceForInterface(interface));
    out->threads = 1;
    return out;
  }

  bool keeps_store() const {
    return is_first() && !place_.launcher_keeps_store;
  }

  /// Who keeps the store stays until the others have read what is wrong.
  void stay_for_readers() const {
    if (keeps_store() && !parted_) sleep(3 * Watch::kBeat);
  }

  /// work(), which may hang; what the watch finds ends the wait. The thread of
  /// work() is left behind then.
  template <class Work>
  auto patiently(Work work) -> decltype(work()) {
    std::packaged_task<decltype(work())()> task(std::move(work));
    auto result = task.get_future();
    std::thread(std::move(task)).detach();
    while (result.wait_for(milliseconds(kLook)) != std::future_status::ready) {
      require_well();
    }
    try {
      return result.get();
    } catch (const std::exception& error) {
      explain(one_line(error));
    }
  }

  Store part_of_store(const Store& whole) const {
    return c10::make_intrusive<c10d::PrefixStore>(place_.prefix + "nestgrad",
                                                  whole);
  }

  /// Until all ranks have started.
  void wait_for_all() {
    const auto joined = [](int rank) { return fmt::format("joined/{}", rank); };
    std::vector<std::string> keys;
    for (int r = 0; r < size(); ++r) keys.push_back(joined(r));
    std::string missing;
    try {
      store_->set(joined(rank()), as_bytes("1"));
      const Stopwatch watch;
      while (!store_->check(keys)) {
        sleep(kLook);
        if (watch.seconds() < patience_.join) continue;
        for (int r = 0; r < size(); ++r) {
          if (!store_->check({joined(r)})) missing += fmt::format(" {}", r);
        }
        break;
      }
    } catch (const std::exception&) {
      throw RankLost("rank 0 has ended before all ranks had started");
    }
    if (missing.empty()) return;
    throw RankLost(
        fmt::format("of {} ranks these have not started within {:g} seconds:{}",
                    size(), patience_.join, missing));
  }

  void require_well() {
    const std::string verdict = watch_->verdict();
    if (verdict.empty()) return;
    lose(verdict);
  }

  [[noreturn]] void lose(const std::string& what) {
    failed_ = true;
    stay_for_readers();
    throw RankLost(what);
  }

  /// Waits in slices, so that what the watch finds ends it.
  template <class Start>
  void complete(const Start& start) {
    watch_->reach(collectives() + 1);
    try {
      const auto work = start();
      while (!work->isCompleted()) {
        require_well();
        try {
          work->wait(milliseconds(0.2));
        } catch (const std::exception&) {
          // The slice is over, or the collective has failed; it may have
          // completed since.
        }
      }
      work->wait();
    } catch (const RankLost&) {
      throw;
    } catch (const std::exception& error) {
      explain(one_line(error));
    }
  }

  /// Throws RankLost for an exchange that has failed.
  [[noreturn]] void explain(const std::string& failure) {
    if (failure.find("imed out") != std::string::npos) {
      wait_for_verdict(2 * Watch::kBeat);
      const std::string missing = watch_->missing_at(collectives() + 1);
      if (!missing.empty()) {
        const std::string what = fmt::format(
            "{} lives, but has not come to an exchange within {:g} seconds of "
            "the others: it computes longer or hangs",
            missing, patience_.collective);
        watch_->tell(what);
        lose(what);
      }
    }
    // A connection is gone; soon it is known whose.
    wait_for_verdict(patience_.silent + 4 * Watch::kBeat);
    lose(fmt::format("an exchange has failed: {}", failure));
  }

  /// Throws RankLost if the watch finds something within so many seconds.
  void wait_for_verdict(double seconds) {
    const Stopwatch watch;
    while (watch.seconds() < seconds) {
      require_well();
      sleep(kLook);
    }
  }

  RankPlace place_;
  Patience patience_;
  Store store_;
  std::unique_ptr<Watch> watch_;
  c10::intrusive_ptr<Collectives> group_;
  std::int64_t said_ = 0;
  bool failed_ = false, parted_ = false;
};

}  // namespace

std::shared_ptr<World> join(const RankPlace& place, const Patience& patience,
                            const std::string& interface) {
  if (place.size == 1) return alone();
  return std::make_shared<C10dWorld>(place, patience, interface);
}

}  // namespace nestgrad

#endif
