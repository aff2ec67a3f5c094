"""Checks that a script computes what another one does not: weights have moved.

  compare.py BEFORE AFTER EXAMPLES"""

import sys

import torch

# oneDNN computes wrong numbers on some processors (core/tensor/kernels.h).
torch.backends.mkldnn.set_flags(False)

before, after = torch.jit.load(sys.argv[1]), torch.jit.load(sys.argv[2])
names = [name for name, _ in before.named_parameters()]
assert names == [name for name, _ in after.named_parameters()], names
assert all(p.requires_grad for p in after.parameters())
x = torch.ones(3, 1, 28, 28)
moved = (before(x) - after(x)).abs().max().item()
print("moved", moved)
assert 1e-6 < moved < 100, moved
