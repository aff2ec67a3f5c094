"""Writes the archives of the tests with a PyTorch that has torch.export:

  python3 write_archives.py FOLDER

For each archive of a network that can be run, expected.safetensors gets an
input and the output that PyTorch computes for it. write_archives.sh calls this
in a Debian that has a new PyTorch.
"""
import pathlib
import sys

import torch
import torchvision
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from networks import Cnn, Mlp, Recurrent, ResNet18, Transformer, VOCABULARY

FOLDER = pathlib.Path(sys.argv[1])
BATCH = torch.export.Dim("batch")
expected = {}


class Linear(nn.Module):
    """A network whose forward() is f(self, x), with one linear layer."""

    def __init__(self, f, prepare=lambda self: None):
        super().__init__()
        self.linear = nn.Linear(4, 2)
        self.f = f
        prepare(self)

    def forward(self, x):
        return self.f(self, x)


def narrow_resnet18(width, classes):
    """torchvision's own, with fewer channels."""

    class Narrow(torchvision.models.ResNet):
        def _make_layer(self, block, planes, blocks, stride=1, dilate=False):
            if planes == 64:
                self.inplanes = width
            return super()._make_layer(block, planes * width // 64, blocks,
                                       stride, dilate)

    net = Narrow(torchvision.models.resnet.BasicBlock, [2, 2, 2, 2], classes)
    net.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
    net.bn1 = nn.BatchNorm2d(width)
    net.fc = nn.Linear(8 * width, classes)
    return net


def write(name, net, example, dynamic=True, train=True, runs=True):
    """Exports net; `runs`: nestgrad is expected to run it."""
    net.train(train)
    shapes = ({0: BATCH},) if dynamic else None
    program = torch.export.export(net, (example,), dynamic_shapes=shapes)
    # Where the code of a node comes from takes most of the space.
    for module in program.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            for node in module.graph.nodes:
                for key in ("stack_trace", "nn_module_stack",
                            "source_fn_stack", "torch_fn", "from_node"):
                    node.meta.pop(key, None)
    torch.export.save(program, FOLDER / (name + ".pt2"))
    if runs:
        more = torch.cat([example, example.flip(0)]) if dynamic else example
        expected[name + ".input"] = more.contiguous()
        expected[name + ".output"] = program.module()(more).detach()


def rows(n=6, width=4):
    return torch.randn(n, width)


def set_running(net):
    """Running averages that differ from those of a fresh network."""
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.uniform_(-1, 1)
            part.running_var.uniform_(0.5, 2)
    return net


def shapes_and_types(self, x):
    """Sizes that are computed, lists, types, memory formats, constants."""
    n = x.shape[0]
    y = x.reshape(n, 2, 2, 1).contiguous(memory_format=torch.channels_last)
    a, b = y.to(torch.float32).flatten(1).split([1, 3], dim=1)
    z = torch.cat([a, b], 1) + torch.zeros(n, 4) + 2 * torch.ones(n * 2 // 2, 1)
    z = torch.where(z > 0, z, 0.5 * z) - torch.tensor([0.1, 0.2, 0.3, 0.4])
    z = z[torch.arange(n - 1, -1, -1)] / (z.numel() // n)
    return self.linear(F.pad(z, (1, 0))[:, 1:] - 1)


def modern_attention(self, x):
    """Operators that LibTorch 1.13 lacks."""
    q = F.rms_norm(x.reshape(-1, 2, 1, 2), (2,), self.gain, 1e-5)
    q = q.expand(-1, 2, 3, 2) * torch.tensor([1.0, 2.0, 3.0]).reshape(3, 1)
    k = q[:, :1].cos()
    mask = torch.tensor([[True, False, True], [False, False, False],
                         [True, True, True]])
    y = F.scaled_dot_product_attention(q, k, k.sin(), mask, scale=0.7,
                                       enable_gqa=True)
    bias = torch.linspace(0, 1, 9).reshape(3, 3)
    y = y + F.scaled_dot_product_attention(q, q, k.expand(-1, 2, 3, 2), bias)
    return self.linear(F.rms_norm(y.flatten(1)[:, :4], (4,)))


def counts(self, x):
    self.calls.add_(1)
    self.sums.mul_(0.5).add_(x.mean(0))
    return self.linear(x - self.sums) * self.calls


def no_tape(self, x):
    with torch.no_grad():
        centre = x.mean(0)
    return self.linear(x - centre)


def bagged(self, x):
    """The linear layer as a weighted sum of embeddings of the columns."""
    columns = torch.arange(4).expand(x.shape[0], 4)
    return self.linear.bias + F.embedding_bag(
        columns, self.linear.weight.t(), per_sample_weights=x, mode="sum")


@torch.library.custom_op("nestgrad_tests::twice", mutates_args=())
def twice(x: torch.Tensor) -> torch.Tensor:
    return 2 * x


twice.register_fake(torch.empty_like)


def write_networks():
    """Networks as people have them."""
    write("mlp", Mlp(), rows())
    write("mlp_fixed", Mlp(), rows(), dynamic=False)
    write("double", Mlp().double(), rows().double())
    images = torch.randn(4, 1, 8, 8)
    write("cnn_train", Cnn(), images)
    write("cnn_eval", set_running(Cnn()), images, train=False)
    write("resnet18", narrow_resnet18(2, 3), torch.randn(3, 3, 32, 32))
    series = torch.randn(3, 5, 3)
    write("lstm", Recurrent(nn.LSTM), series)
    write("gru", Recurrent(nn.GRU), series)
    tokens = torch.randint(VOCABULARY, (3, 6))
    write("transformer", Transformer(), tokens)
    write("tied", Transformer(tied=True), tokens)


def write_details():
    """One property each."""

    def gain(self):
        self.gain = nn.Parameter(torch.tensor([0.5, 1.5]))

    def unused(self):
        self.unused = nn.Parameter(torch.ones(3))
        self.fixed = nn.Parameter(torch.full((4,), 2.0), requires_grad=False)

    def buffers(self):
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))
        self.register_buffer("sums", torch.ones(4))

    def dropped(self, x):
        return self.linear(F.dropout(x, 0.5, self.training))

    def scaled(self, x):
        return self.linear(self.fixed * x)

    write("modern", Linear(modern_attention, gain), rows())
    write("shapes", Linear(shapes_and_types), rows())
    write("unused", Linear(scaled, unused), rows())
    write("counts", Linear(counts, buffers), rows())
    write("dropout", Linear(dropped), rows())
    del expected["dropout.output"]  # is random
    write("dropout_eval", Linear(dropped), rows(), train=False)
    write("bagged", Linear(bagged), rows())


def write_refused():
    """Networks that nestgrad cannot train."""

    def chosen(self, x):
        return torch.cond(x.sum() > 0, lambda y: self.linear(y),
                          lambda y: -self.linear(y), (x,))

    for name, f in {"cond": chosen, "no_tape": no_tape,
                    "custom": lambda self, x: self.linear(twice(x)),
                    "two_outputs": lambda self, x: (self.linear(x), x),
                    "detached": lambda self, x: self.linear(x).detach()
                    }.items():
        write(name, Linear(f), rows(), runs=False)
    write("no_parameters", nn.Tanh(), rows(), runs=False)


torch.manual_seed(1)
write_networks()
write_details()
write_refused()
save_file(expected, FOLDER / "expected.safetensors")
