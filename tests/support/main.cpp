#define CATCH_CONFIG_RUNNER
#include <cstdio>
#include <cstdlib>

#include "core/platform/memory_meter.h"
#include "core/tensor/device.h"
#include "experiments/setup/process.h"
#include "tests/support/support.h"

int main(int argc, char** argv) {
  if (const char* const device = std::getenv("NESTGRAD_TEST_DEVICE")) {
    try {
      nestgrad::testing::judge_on(nestgrad::device_named(device));
    } catch (const nestgrad::Error& error) {
      std::printf("skipped: %s\n", error.what());
      return 77;  // CTest's code for "skipped"
    }
  }
  const nestgrad::MemoryMeter memory;  // before the first tensor
  // Tests run in parallel, and their tensors are small.
  nestgrad::prepare_process(/*threads=*/1);
  return Catch::Session().run(argc, argv);
}
