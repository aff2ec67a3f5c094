#include "tests/fake_device/fake_device.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/DeviceType.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <cstdlib>
#include <string>

#if __has_include(<ATen/detail/PrivateUse1HooksInterface.h>)
#include <ATen/detail/PrivateUse1HooksInterface.h>
#define NESTGRAD_BACKENDS_HAVE_HOOKS
#endif

#include "tests/fake_device/memory.h"

namespace nestgrad::fake_device {

#ifdef NESTGRAD_BACKENDS_HAVE_HOOKS
namespace {

/// What LibTorch from 2.1 on asks of a backend. Functions that it has added
/// since would be no overrides in all versions.
struct Hooks : at::PrivateUse1HooksInterface {
  bool isBuilt() const { return true; }
  bool isAvailable() const { return true; }
  bool hasPrimaryContext(c10::DeviceIndex) const { return true; }
  c10::DeviceIndex deviceCount() const { return 1; }
  const at::Generator& getDefaultGenerator(c10::DeviceIndex) const {
    return at::detail::getDefaultCPUGenerator();
  }
};

/// Whether the tests of this process judge a GPU. LibTorch takes one device of
/// a process for its accelerator, and prefers one of this kind: autograd then
/// fails on the GPU.
bool another_is_judged() {
  const char* const device = std::getenv("NESTGRAD_TEST_DEVICE");
  return device != nullptr &&
         std::string(device).rfind("privateuseone", 0) == std::string::npos;
}

[[maybe_unused]] const bool hooks_registered = [] {
  if (another_is_judged()) return false;
  at::RegisterPrivateUse1HooksInterface(new Hooks);
  // LibTorch knows of an accelerator once it has a name.
  c10::register_privateuse1_backend("privateuseone");
  return true;
}();

}  // namespace
#endif

namespace {

/// One device with one stream, on which everything is done at once.
struct Guard final : c10::impl::DeviceGuardImplInterface {
  c10::DeviceType type() const override { return kFake; }
  c10::Device getDevice() const override { return {kFake, 0}; }
  c10::Device exchangeDevice(c10::Device) const override { return {kFake, 0}; }
  void setDevice(c10::Device) const override {}
  void uncheckedSetDevice(c10::Device) const noexcept override {}
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }
  c10::Stream getDefaultStream(c10::Device) const override { return stream(); }
  c10::Stream getStream(c10::Device) const noexcept override {
    return stream();
  }
  c10::Stream exchangeStream(c10::Stream) const noexcept override {
    return stream();
  }

 private:
  static c10::Stream stream() {
    return c10::Stream(c10::Stream::DEFAULT, c10::Device(kFake, 0));
  }
};

}  // namespace

C10_REGISTER_GUARD_IMPL(PrivateUse1, Guard);

}  // namespace nestgrad::fake_device

#include "experiments/setup/plugin_mark.h"

extern "C" __attribute__((used, visibility("default")))
const char nestgrad_plugin_mark[] =
    NESTGRAD_PLUGIN_FIRST_WORDS NESTGRAD_PLUGIN_MARK;
