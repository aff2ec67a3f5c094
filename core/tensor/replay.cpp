#include "core/tensor/replay.h"

#include <ATen/ATen.h>

#include <exception>

#include "core/platform/error.h"
#include "core/platform/exceptions.h"

namespace nestgrad {

/// That a recording is being made on this thread, from the first call of its
/// function on: in that call constants are collected, in the second effects.
class Replay::Making {
 public:
  Making(Replay& recorded, bool records)
      : recorded(recorded), records(records) {
    now = this;
  }
  ~Making() { now = nullptr; }
  Making(const Making&) = delete;
  Making& operator=(const Making&) = delete;

  inline static thread_local Making* now = nullptr;

  Replay& recorded;
  const bool records;
  std::size_t constants = 0;  // handed out so far
};

namespace {

// Sets that are whole (ParameterSet::whole) stay so.

ParameterSet off_tape(const ParameterSet& set) {
  return set.whole().defined() ? set.unflatten(set.whole().detach())
                               : set.detach();
}

ParameterSet copy_of(const ParameterSet& set) {
  return set.whole().defined() ? set.unflatten(set.whole().detach().clone())
                               : set.detach().clone();
}

ParameterSets copies_of(const ParameterSets& sets) {
  ParameterSets out;
  for (const ParameterSet& set : sets) out.push_back(copy_of(set));
  return out;
}

void copy(const ParameterSet& from, const ParameterSet& to) {
  if (from.whole().defined()) {
    Tensor(to.whole()).copy_(from.whole().detach());
    return;
  }
  for (std::size_t i = 0; i < from.size(); ++i) {
    Tensor(to.tensors()[i]).copy_(from.tensors()[i].detach());
  }
}

bool same_form(const Tensor& a, const Tensor& b) {
  return a.sizes() == b.sizes() && a.scalar_type() == b.scalar_type() &&
         a.device() == b.device();
}

bool same_form(const ParameterSet& a, const ParameterSet& b) {
  if (!alike(a, b) || a.whole().defined() != b.whole().defined()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!same_form(a.tensors()[i], b.tensors()[i])) return false;
  }
  return true;
}

bool all_on(const at::Device& device, const ParameterSets& sets) {
  for (const ParameterSet& set : sets) {
    for (const Tensor& t : set.tensors()) {
      if (t.device() != device) return false;
    }
  }
  return true;
}

std::int64_t bytes_of(const ParameterSets& sets) {
  std::int64_t out = 0;
  for (const ParameterSet& set : sets) {
    for (const Tensor& t : set.tensors()) {
      out += static_cast<std::int64_t>(t.nbytes());
    }
  }
  return out;
}

bool same_form(const ParameterSets& a, const ParameterSets& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!same_form(a[i], b[i])) return false;
  }
  return true;
}

}  // namespace

ParameterSets Replay::operator()(const SetFunction& f, const ParameterSets& x) {
  // What is part of a larger recording is recorded there. A number that f may
  // read on the CPU would be recorded as it is now.
  if (Making::now != nullptr || !all_on(device_, x)) return f(x);
  if (!called_) {
    constants_.clear();
    const Making first(*this, /*records=*/false);
    ParameterSets out = f(x);
    called_ = true;
    return out;
  }
  if (graph_ == nullptr) record(f, x);
  if (!same_form(x, inputs_)) return f(x);
  for (std::size_t i = 0; i < x.size(); ++i) copy(x[i], inputs_[i]);
  graph_->replay();
  for (const auto& effect : effects_) effect();
  return copies_of(outputs_);
}

void Replay::record(const SetFunction& f, const ParameterSets& x) {
  inputs_ = copies_of(x);
  std::unique_ptr<DeviceGraph> graph = device_graphs_of(device_).make();
  const Making second(*this, /*records=*/true);
  std::string trouble;
  std::exception_ptr out_of_memory;
  const auto attempt = [&](const auto& work) {
    try {
      work();
    } catch (const std::exception& error) {
      if (is_out_of_memory(error)) out_of_memory = std::current_exception();
      if (trouble.empty()) trouble = one_line(error);
    }
  };
  attempt([&] {
    graph->begin();
    for (ParameterSet& set : outputs_ = f(inputs_)) set = off_tape(set);
  });
  attempt([&] { graph->end(); });
  // LibTorch's allocator goes on to ask a CUDA graph that has failed.
  if (!trouble.empty()) (void)graph.release();
  if (out_of_memory) std::rethrow_exception(out_of_memory);
  require(trouble.empty(),
          "this experiment cannot be recorded on the device '{}' ({}); it runs "
          "there without \"device_graphs\"",
          device_.str(), trouble);
  graph_ = std::move(graph);
}

std::int64_t Replay::bytes() const {
  return bytes_of(inputs_) + bytes_of(outputs_);
}

Tensor host_constant(const std::function<Tensor()>& make) {
  Replay::Making* const now = Replay::Making::now;
  if (now == nullptr) return make();
  std::vector<Tensor>& all = now->recorded.constants_;
  if (!now->records) return all.emplace_back(make());
  require(now->constants < all.size(),
          "a function asks for more constants at its second call");
  return all[now->constants++];
}

void each_time(const std::function<void()>& effect) {
  Replay::Making* const now = Replay::Making::now;
  if (now != nullptr && now->records) {
    now->recorded.effects_.push_back(effect);
  } else {
    effect();
  }
}

ReplayCache::ReplayCache(const at::Device& device, std::int64_t bytes)
    : device_(device), room_(bytes) {
  device_graphs_of(device).prepare(device);
}

ParameterSets ReplayCache::operator()(const std::string& name,
                                      const SetFunction& f,
                                      const ParameterSets& x) {
  const auto known = by_name_.find(name);
  if (known != by_name_.end()) {
    kept_.splice(kept_.begin(), kept_, known->second);
  } else {
    kept_.emplace_front(name, Replay(device_));
    by_name_[name] = kept_.begin();
  }
  Replay& replay = kept_.front().second;
  const std::int64_t before = replay.bytes();
  ParameterSets out = replay(f, x);
  bytes_ += replay.bytes() - before;
  while (kept_.size() > kKept || (bytes_ > room_ && kept_.size() > 1)) {
    bytes_ -= kept_.back().second.bytes();
    by_name_.erase(kept_.back().first);
    kept_.pop_back();
  }
  return out;
}

}  // namespace nestgrad
