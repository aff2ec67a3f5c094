"""Small networks for the tests, for PyTorch 1.13 and later.

write_archives.py exports them with a new PyTorch. write_scripts.py writes the
same networks, with the same weights, as TorchScript with the PyTorch of the
machine.
"""
import math

import torch
from torch import nn
from torch.nn import functional as F

VOCABULARY = 7


class Mlp(nn.Module):
    """4 numbers to 3 classes."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 5)
        self.last = nn.Linear(5, 3)

    def forward(self, x):
        return self.last(torch.tanh(self.first(x)))


class Cnn(nn.Module):
    """A residual block with batch norm; [1, 8, 8] to 3 classes."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 3, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(3)
        self.second = nn.Conv2d(3, 3, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(3)
        self.pool = nn.MaxPool2d(2)
        self.out = nn.Linear(3, 3)

    def forward(self, x):
        x = F.gelu(self.norm(self.first(x)))
        x = x + self.norm2(self.second(x))
        x = self.pool(F.silu(x))
        return self.out(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


class Recurrent(nn.Module):
    """[5, 3] to 2 classes."""

    def __init__(self, cell):
        super().__init__()
        self.cell = cell(3, 4, batch_first=True)
        self.out = nn.Linear(4, 2)

    def forward(self, x):
        return self.out(self.cell(x)[0][:, -1])


class Attention(nn.Module):
    """Causal self-attention with several heads."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x):
        shape = (x.shape[0], x.shape[1], self.heads, -1)
        q, k, v = [t.reshape(shape).transpose(1, 2)
                   for t in self.qkv(x).chunk(3, dim=-1)]
        if hasattr(F, "scaled_dot_product_attention"):
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
            future = torch.ones_like(scores[0, 0]).triu(1).bool()
            y = scores.masked_fill(future, -math.inf).softmax(-1) @ v
        return self.out(y.transpose(1, 2).reshape(x.shape))


class Transformer(nn.Module):
    """A language model: [batch, time] tokens to logits of the next one."""

    def __init__(self, tied=False):
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, 8)
        self.positions = nn.Embedding(6, 8)
        self.norm1 = nn.LayerNorm(8)
        self.attention = Attention(8, 2)
        self.norm2 = nn.LayerNorm(8)
        self.up = nn.Linear(8, 16)
        self.down = nn.Linear(16, 8)
        self.head = nn.Linear(8, VOCABULARY, bias=False)
        if tied:
            self.head.weight = self.tokens.weight

    def forward(self, tokens):
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.tokens(tokens) + self.positions(places)
        x = x + self.attention(self.norm1(x))
        x = x + self.down(F.gelu(self.up(self.norm2(x))))
        return self.head(x)


class BasicBlock(nn.Module):
    """Two convolutions of a ResNet; names as in torchvision."""

    def __init__(self, inner, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inner, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        if stride != 1 or inner != width:
            self.downsample = nn.Sequential(
                nn.Conv2d(inner, width, 1, stride, bias=False),
                nn.BatchNorm2d(width))
        else:
            self.downsample = nn.Identity()

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.downsample(x))


class ResNet18(nn.Module):
    """ResNet-18 with `width` channels in the place of 64, as in torchvision."""

    def __init__(self, width, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        inner = width
        for i in range(4):
            wide = width << i
            setattr(self, "layer%d" % (i + 1), nn.Sequential(
                BasicBlock(inner, wide, 1 if i == 0 else 2),
                BasicBlock(wide, wide, 1)))
            inner = wide
        self.fc = nn.Linear(inner, classes)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, (1, 1)), 1))


# The networks that are also written as TorchScript.
SCRIPTED = {"cnn_train": Cnn, "transformer": Transformer,
            "resnet18": lambda: ResNet18(2, 3)}
