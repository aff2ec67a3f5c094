"""Loads weights of a run into PyTorch's networks as docs/pytorch.md says.

  load_back.py PAGE EXPORT_SCRIPT RUN OF_CHAIN

RUN is a run of the network of EXPORT_SCRIPT; OF_CHAIN, a file of weights of the
chain that the page shows.
"""
import re
import sys

page, script, run, of_chain = sys.argv[1:]
text = open(page).read()


def block(name):
    """The code on the page that is marked so."""
    return re.search(r"```python %s\n(.*?)```" % name, text, re.S)[1]


exec(block("reader"))  # defines load_file() and imports torch
# oneDNN computes wrong numbers on some processors (core/tensor/kernels.h).
torch.backends.mkldnn.set_flags(False)

# The network, as it was before it was exported; this PyTorch cannot do that.
of_script = {"__name__": "export"}
exec(open(script).read(), of_script)
torch.manual_seed(1)
network = of_script["cnn"]()
fresh = {name: t.clone() for name, t in network.named_parameters()}
weights = load_file(run + "/weights.safetensors")
missing, unexpected = network.load_state_dict(weights, strict=False)
assert not unexpected, unexpected
assert set(missing) <= {name for name, _ in network.named_buffers()}, missing
for name, t in network.named_parameters():
    assert torch.equal(t, weights[name]), name
    assert not torch.equal(t, fresh[name]), name + " was not trained"

exec(block("chain"))
network.load_state_dict(load_file(of_chain))  # strict
