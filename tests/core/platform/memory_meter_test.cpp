#include "core/platform/memory_meter.h"

#include "tests/support/support.h"

namespace nestgrad {

TEST_CASE("a memory meter counts tensors alive and at their peak",
          "[memory_meter]") {
  const Tensor before = at::ones({1000}, float64());
  MemoryMeter meter;
  CHECK(meter.peak() == 0);
  Tensor kept = at::ones({1000}, float64());
  { const Tensor gone = at::ones({4000}, float64()); }
  CHECK(meter.current() == 8000);
  CHECK(meter.peak() == 40000);
  meter.restart();
  CHECK(meter.peak() == 8000);
  kept.reset();
  CHECK(meter.current() == 0);
}

TEST_CASE("nested memory meters count for themselves and for the outer one",
          "[memory_meter]") {
  MemoryMeter outer;
  const Tensor kept = at::ones({1000}, float64());
  {
    MemoryMeter inner;
    const Tensor gone = at::ones({500}, float64());
    CHECK(inner.peak() == 4000);
  }
  const Tensor more = at::ones({100}, float64());
  CHECK(outer.current() == 8800);
  CHECK(outer.peak() == 12000);
}

TEST_CASE("what is released counts for a meter that has seen it or not",
          "[memory_meter]") {
  Tensor before = at::ones({1000}, float64());
  const MemoryMeter meter;
  before.reset();
  CHECK(meter.current() == -8000);
  CHECK(meter.peak() == 0);
}

}  // namespace nestgrad
