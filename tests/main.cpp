#define CATCH_CONFIG_RUNNER
#include "experiments/process.h"
#include "tests/support.h"

int main(int argc, char** argv) {
  // Tests run side by side, and their tensors are small.
  nestgrad::prepare_process(/*threads=*/1);
  return Catch::Session().run(argc, argv);
}
