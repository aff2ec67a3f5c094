// Compares nestgrad with loops written by hand for the same work.
//
//   nestgrad_bench [--cpu] [--device NAME] [--device-graphs] [FILTER]
//   nestgrad_bench --scaling FILE.png
//   nestgrad_bench --self-tuning
//   nestgrad_bench --particles [--device NAME] [--device-graphs]
//   nestgrad_bench --dropout-study CONFIG
//   nestgrad_bench --dropout-origins CONFIG
//   nestgrad_bench --dropout-starts CONFIG FILE.png
//   nestgrad_bench --outer-step CONFIG
//   nestgrad_bench --learned-optimizer CONFIG
//   nestgrad_bench --forgotten-bits
//
// FILTER selects the workloads whose names contain it. Both sides run
// alternately in one process. The table shows the median times of a run, the
// median of the ratios of neighbouring runs, the peak memory of a run beyond
// what was loaded before, and the relative difference of the results in
// float64. Times and memory are for float32. --cpu: one thread and processor
// time instead of wall time, for a busy machine. --device: memory is that of
// tensors. --device-graphs: the library records, the loops by hand do not; what
// recordings hold is not counted. --scaling: see scaling.h; --self-tuning:
// self_tuning.h; --particles: particles.h; --outer-step: distillation.h;
// --learned-optimizer: learned_optimizer_study.h; --forgotten-bits:
// benchmark.h; the others: dropout_study.h.

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <functional>

#include "benchmark.h"
#include "core/platform/memory_meter.h"
#include "core/tensor/device.h"
#include "distillation.h"
#include "dropout_study.h"
#include "experiments/setup/process.h"
#include "learned_optimizer_study.h"
#include "median.h"
#include "particles.h"
#include "resident.h"
#include "scaling.h"
#include "self_tuning.h"

namespace nestgrad {
namespace {

double wall_seconds() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) +
         1e-9 * static_cast<double>(now.tv_nsec);
}

using Clock = double (*)();

double seconds(const Run& run, Clock clock) {
  const double start = clock();
  wait_for(run());
  return clock() - start;
}

/// |a - b| / |b|
double relative_difference(const Contest& contest) {
  const Tensor expected = contest.by_hand();
  return ((contest.library() - expected).norm() / expected.norm())
      .item<double>();
}

void compare(const Workload& workload, Place place, Clock clock) {
  place.options = place.options.dtype(at::kDouble);
  const double difference = relative_difference(workload.make(place));
  place.options = place.options.dtype(at::kFloat);
  const Contest contest = workload.make(place);
  contest.library();
  contest.by_hand();
  const at::Device device = place.options.device();
  const double library_mib = peak_mib(contest.library, device);
  const double by_hand_mib = peak_mib(contest.by_hand, device);

  std::vector<double> library, by_hand, ratios;
  for (int i = 0; i < workload.pairs; ++i) {
    const bool library_first = i % 2 == 0;
    if (library_first) library.push_back(seconds(contest.library, clock));
    by_hand.push_back(seconds(contest.by_hand, clock));
    if (!library_first) library.push_back(seconds(contest.library, clock));
    ratios.push_back(library.back() / by_hand.back());
  }
  const double scale = 1e3 / workload.steps;
  fmt::print("{:10}{:>12.3f}{:>12.3f}{:>8.3f}{:>14.1f}{:>12.1f}{:>12.1e}\n",
             workload.name, scale * median(library), scale * median(by_hand),
             median(ratios), library_mib, by_hand_mib, difference);
  std::fflush(stdout);
}

/// Takes --device and --device-graphs out of the arguments.
Place take_place(std::vector<std::string>& arguments) {
  Place place;
  std::vector<std::string> others;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--device-graphs") {
      place.graphs = true;
    } else if (arguments[i] == "--device") {
      require(i + 1 < arguments.size(), "--device needs a name");
      // Before the first tensor of the device, which peak_mib() may see go.
      static const MemoryMeter meter;
      place.options = place.options.device(device_named(arguments[++i]));
    } else {
      others.push_back(arguments[i]);
    }
  }
  arguments = others;
  prepare_device(place.options.device());
  return place;
}

/// What is measured in place of the workloads, by the option that asks for it.
struct Study {
  const char* option;
  const char* needs;  // in words
  std::size_t arguments;
  std::function<void(const Place&, const std::vector<std::string>&)> run;
};

using Texts = std::vector<std::string>;

std::vector<Study> studies() {
  constexpr const char* kConfig = "a configuration";
  return {
      {"--scaling", "the name of a PNG file", 1,
       [](const Place&, const Texts& a) { measure_scaling(a[0]); }},
      {"--self-tuning", "no argument", 0,
       [](const Place&, const Texts&) { measure_self_tuning(); }},
      {"--particles", "no argument", 0,
       [](const Place& place, const Texts&) { measure_particles(place); }},
      {"--learned-optimizer", kConfig, 1,
       [](const Place&, const Texts& a) {
         study_learned_optimizer(a[0], /*steps=*/500);
       }},
      {"--forgotten-bits", "no argument", 0,
       [](const Place&, const Texts&) { measure_forgotten_bits(); }},
      {"--dropout-study", kConfig, 1,
       [](const Place&, const Texts& a) { study_dropout(a[0]); }},
      {"--dropout-origins", kConfig, 1,
       [](const Place&, const Texts& a) { study_origins(a[0]); }},
      {"--outer-step", kConfig, 1,
       [](const Place&, const Texts& a) { measure_outer_step(a[0]); }},
      {"--dropout-starts", "a configuration and the name of a PNG file", 2,
       [](const Place&, const Texts& a) { draw_dropout_starts(a[0], a[1]); }}};
}

int run(std::vector<std::string> arguments) {
  const Place place = take_place(arguments);
  for (const Study& study : studies()) {
    if (arguments.empty() || arguments[0] != study.option) continue;
    require(arguments.size() == 1 + study.arguments, "{} needs {}",
            study.option, study.needs);
    study.run(place, {arguments.begin() + 1, arguments.end()});
    return 0;
  }
  Clock clock = wall_seconds;
  std::string filter;
  for (const std::string& argument : arguments) {
    if (argument == "--cpu") {
      clock = processor_seconds;
    } else {
      filter = argument;
    }
  }
  prepare_process(clock == processor_seconds ? 1 : 0);
  fmt::print("{:10}{:>12}{:>12}{:>8}{:>14}{:>12}{:>12}\n", "workload",
             "nestgrad ms", "by hand ms", "ratio", "nestgrad MiB",
             "by hand MiB", "difference");
  for (const auto& workloads :
       {neumann_workloads(), unrolled_workloads(), quadratic_workloads(),
        reversible_workloads()}) {
    for (const Workload& workload : workloads) {
      if (workload.name.find(filter) == std::string::npos) continue;
      compare(workload, place, clock);
    }
  }
  return 0;
}

}  // namespace
}  // namespace nestgrad

int main(int argc, char** argv) {
  try {
    return nestgrad::run({argv + 1, argv + argc});
  } catch (const nestgrad::Error& error) {
    fmt::print(stderr, "nestgrad_bench: {}\n", error.what());
    return 2;
  }
}
