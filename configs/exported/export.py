"""Writes network.pt2 and text_transformer.pt2, with PyTorch 2.8 or later:

  python3 export.py
"""
import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    """Causal attention and a perceptron, each after a normalization."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(self, x):
        heads = (x.shape[0], x.shape[1], self.heads, -1)
        q, k, v = [t.reshape(heads).transpose(1, 2)
                   for t in self.qkv(self.norm1(x)).chunk(3, dim=-1)]
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(x.shape))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Transformer(nn.Module):
    """The language model of configs/text_transformer_ift.json."""

    def __init__(self, vocabulary, time, depth, width, heads):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Parameter(torch.randn(time, width))
        self.blocks = nn.Sequential(
            *[Block(width, heads) for _ in range(depth)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, tokens):
        return self.head(self.norm(
            self.blocks(self.tokens(tokens) + self.positions)))


def export(network, example, path):
    program = torch.export.export(
        network.train(), (example,),
        dynamic_shapes=({0: torch.export.Dim("batch")},))
    torch.export.save(program, path)


def cnn():
    return nn.Sequential(
        nn.Conv2d(1, 8, 5, stride=2), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 16, 5, stride=2), nn.BatchNorm2d(16), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.1),
        nn.Linear(16, 10))


if __name__ == "__main__":
    torch.manual_seed(1)
    export(cnn(), torch.zeros(4, 1, 28, 28), "network.pt2")
    torch.manual_seed(1)
    export(Transformer(vocabulary=76, time=32, depth=2, width=32, heads=4),
           torch.zeros(4, 32, dtype=torch.long), "text_transformer.pt2")
