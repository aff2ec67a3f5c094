"""Compares layers with PyTorch's, whose weights are named as docs/pytorch.md says.

  layers_back.py PAGE FOLDER

For each layer, FOLDER has LAYER.safetensors with its tensors, an input and the
output that nestgrad computes.
"""
import re
import sys

page, folder = sys.argv[1:]
text = open(page).read()


def block(name):
    """The code on the page that is marked so."""
    return re.search(r"```python %s\n(.*?)```" % name, text, re.S)[1]


exec(block("reader"))  # defines load_file() and imports torch
exec(block("layers"))  # defines for_pytorch()
# oneDNN computes wrong numbers on some processors (core/tensor/kernels.h).
torch.backends.mkldnn.set_flags(False)

LAYERS = {
    "linear": torch.nn.Linear(4, 3),
    "conv2d": torch.nn.Conv2d(2, 3, 3),
    "conv_transpose2d": torch.nn.ConvTranspose2d(2, 3, 3, stride=2),
    "lstm": torch.nn.LSTM(4, 3, batch_first=True),
    "gru": torch.nn.GRU(4, 3, num_layers=2, batch_first=True),
    "attention": torch.nn.MultiheadAttention(4, 2, batch_first=True),
}
for layer, module in LAYERS.items():
    tensors = load_file("%s/%s.safetensors" % (folder, layer))
    x, y = tensors.pop("input"), tensors.pop("output")
    module.load_state_dict(for_pytorch(layer, tensors))  # strict
    with torch.no_grad():
        found = module(x, x, x) if layer == "attention" else module(x)
    found = found[0] if isinstance(found, tuple) else found
    assert torch.allclose(found, y, rtol=1e-4, atol=1e-5), layer
