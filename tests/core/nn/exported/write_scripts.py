"""Writes the networks SCRIPTED as TorchScript, in training mode, with the
PyTorch of the machine:

  python3 write_scripts.py FOLDER
"""
import sys

import torch

from networks import SCRIPTED, VOCABULARY

EXAMPLES = {"cnn_train": torch.zeros(2, 1, 8, 8),
            "resnet18": torch.randn(2, 3, 32, 32),
            "transformer": torch.arange(12).reshape(2, 6) % VOCABULARY}

for name, make in SCRIPTED.items():
    traced = torch.jit.trace(make().train(), EXAMPLES[name], check_trace=False)
    traced.save("%s/%s.pt" % (sys.argv[1], name))
