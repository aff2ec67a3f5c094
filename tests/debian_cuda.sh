#!/bin/sh
# Builds with Debian 13's LibTorch for CUDA (contrib), in a Debian 13 of its own:
#
#   tests/debian.sh trixie FOLDER tests/debian_cuda.sh
#
# Needs no GPU, but 12 GB. Fetches 2.5 GB of packages, and cuDNN from NVIDIA; where
# that cannot be reached, the program is linked and does not start.
set -eu
cd "$(dirname "$0")/.."
grep -q contrib /etc/apt/sources.list ||
  sed -i 's/ main$/ main contrib non-free/' /etc/apt/sources.list
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
  libtorch-cuda-dev libgloo-cuda-dev || {
  # The script of this package is what fetches cuDNN.
  printf '#!/bin/sh\n' >/var/lib/dpkg/info/nvidia-cudnn.postinst
  dpkg --configure -a
}
# Without cuDNN the program can be linked, though not started.
ldconfig -p | grep -q 'libcudnn[.]so' ||
  export LDFLAGS=-Wl,--allow-shlib-undefined
export NESTGRAD_TORCH=/usr/lib/x86_64-linux-gnu/cmake
./dev run configs/quickstart.json --set outer.steps=1 ||
  ldd build/release/nestgrad | grep 'not found'
nm -DC build/release/libnestgrad.so | grep 'at::cuda::CUDAGraph::replay'
