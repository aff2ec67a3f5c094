"""Writes the scripts that tests/core/nn/torchscript_test.cpp reads, into a folder."""

import sys

import torch
from torch import nn

folder = sys.argv[1]
torch.manual_seed(3)


class Cnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 5, stride=3)
        self.out = nn.Linear(2 * 8 * 8, 10)

    def forward(self, x):
        return self.out(torch.tanh(self.conv(x)).flatten(1))


class Lstm(nn.Module):
    def __init__(self, vocabulary):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, 3)
        self.lstm = nn.LSTM(3, 4, batch_first=True)
        self.out = nn.Linear(4, vocabulary)

    def forward(self, x):
        return self.out(self.lstm(self.embedding(x))[0])


class Noisy(nn.Module):
    """Has buffers that training changes, noise, control flow and tied weights."""

    def __init__(self):
        super().__init__()
        self.a = nn.Linear(6, 6, bias=False)
        self.b = nn.Linear(6, 6, bias=False)
        self.b.weight = self.a.weight
        self.norm = nn.BatchNorm1d(6)
        self.dropout = nn.Dropout(0.3)
        self.out = nn.Linear(6, 2)

    def forward(self, x):
        for _ in range(2):
            x = torch.tanh(self.b(torch.tanh(self.a(x))))
        return self.out(self.dropout(self.norm(x)))


images = torch.zeros(2, 1, 28, 28)
torch.jit.trace(Cnn(), images).save(folder + "/cnn.pt")
torch.jit.script(Lstm(int(sys.argv[2]))).save(folder + "/lstm.pt")
torch.jit.script(Noisy()).save(folder + "/noisy.pt")
torch.jit.freeze(torch.jit.script(Cnn().eval())).save(folder + "/frozen.pt")
torch.jit.script(Cnn().requires_grad_(False)).save(folder + "/fixed.pt")

partly = Cnn()
partly.conv.requires_grad_(False)
torch.jit.script(partly).save(folder + "/partly.pt")
