#define CATCH_CONFIG_RUNNER
#include <ATen/Context.h>

#include <cstdio>
#include <cstdlib>

#include "core/platform/memory_meter.h"
#include "experiments/setup/process.h"
#include "tests/support/support.h"

int main(int argc, char** argv) {
  if (const char* const device = std::getenv("NESTGRAD_TEST_DEVICE")) {
    nestgrad::testing::judge_on(at::Device(device));
  }
  if (!nestgrad::testing::judging_device().is_cpu() && !at::hasCUDA()) {
    std::puts("skipped: there is no CUDA device here");
    return 77;  // CTest's code for "skipped"
  }
  const nestgrad::MemoryMeter memory;  // before the first tensor
  // Tests run in parallel, and their tensors are small.
  nestgrad::prepare_process(/*threads=*/1);
  return Catch::Session().run(argc, argv);
}
