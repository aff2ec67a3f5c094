"""Writes the scripts that the tests of foreign networks read, into a folder."""

import sys
from typing import Dict, List

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


# Networks that reach for more than is theirs: 4 -> 2, with two linear layers.


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 8)
        self.b = nn.Linear(8, 2)

    def tail(self, x):
        return self.b(torch.tanh(self.a(x)))

    def forward(self, x):
        return self.tail(x)


class Shifted(Small):
    def forward(self, x):
        return self.tail(x - 0.5)


class ShiftsInput(Small):
    def forward(self, x):
        x -= 0.5
        return self.tail(x)


class ShiftsView(Small):
    """Writes through a view, of the numbers behind the tape."""

    def forward(self, x):
        x.detach()[:, 0:2].sub_(0.5)
        x.data.view(-1, 2, 2)[:, 1].sub_(0.5)
        return self.tail(x)


class ClampsWeights(Small):
    def forward(self, x):
        with torch.no_grad():
            self.a.weight.clamp_(-0.05, 0.05)
        return self.tail(x)


class Counts(Small):
    """Keeps a number, a list and a dictionary from call to call."""

    seen: List[int]
    sums: Dict[str, torch.Tensor]

    def __init__(self):
        super().__init__()
        self.calls = 0
        self.seen = [1]
        self.sums = {"x": torch.zeros(4)}

    def forward(self, x):
        self.calls += 1
        self.seen.append(self.calls)
        self.sums["x"] = self.sums["x"] + 0.1
        scale = 1.0 + 0.1 * self.calls + 0.1 * len(self.seen)
        return scale * self.tail(x + self.sums["x"])


class SeedsAll(Small):
    def forward(self, x):
        torch.manual_seed(3)
        if self.training:
            x = x + torch.rand_like(x)
        return self.tail(x)


class LeavesNoTape(Small):
    """The tape is off when it ends."""

    def forward(self, x):
        out = self.tail(x)
        torch.set_grad_enabled(False)
        return out


class Forks(Small):
    def forward(self, x):
        parts = [torch.jit.fork(noisy_part, x, self.training) for _ in range(4)]
        for part in parts:
            x = x + torch.jit.wait(part)
        return self.tail(x)


def noisy_part(x, training: bool):
    return 0.1 * torch.nn.functional.dropout(x, 0.5, training)


class Detaches(Small):
    def forward(self, x):
        return self.tail(x).detach()


class NoGrad(Small):
    def forward(self, x):
        with torch.no_grad():
            return self.tail(x)


class Drops(Small):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(4)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x):
        return self.tail(self.dropout(self.norm(x)))


constant = torch.zeros(4)


def adds_to_constant(x):
    constant.add_(0.1)
    return x + constant


class KeepsConstant(Small):
    def forward(self, x):
        return self.tail(adds_to_constant(x))


class Sparse(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Embedding(5, 2, sparse=True)

    def forward(self, x):
        return self.a(x).sum(1)


class FirstRow(Small):
    def forward(self, x):
        return self.tail(x)[:1]


class Prints(Small):
    def forward(self, x):
        print("rows:", x.size(0))
        return self.tail(x)


start = Small().state_dict()
for name, network in [
    ("small", Small()), ("shifted", Shifted()), ("shifts_input", ShiftsInput()),
    ("shifts_view", ShiftsView()), ("clamps", ClampsWeights()),
    ("counts", Counts()), ("seeds", SeedsAll()), ("no_tape", LeavesNoTape()),
    ("forks", Forks()), ("detaches", Detaches()), ("no_grad", NoGrad()),
    ("drops", Drops()), ("first_row", FirstRow()), ("prints", Prints())
]:
    network.load_state_dict(start, strict=False)
    torch.jit.script(network).save(f"{folder}/{name}.pt")
double = Small().double()
with torch.no_grad():
    for parameter in double.parameters():
        parameter.mul_(1 + 1e-9)  # no number of float32 any more
torch.jit.script(double).save(folder + "/double.pt")
torch.jit.script(Sparse()).save(folder + "/sparse.pt")
rows = torch.randn(6, 4)
for name, network in [("traced_train", Drops().train()),
                      ("traced_eval", Drops().eval()),
                      ("constant", KeepsConstant())]:
    torch.jit.trace(network, rows, check_trace=False).save(f"{folder}/{name}.pt")
