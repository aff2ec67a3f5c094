"""Writes network.pt2, with PyTorch 2.8 or later:

  python3 export.py
"""
import torch
from torch import nn

torch.manual_seed(1)
network = nn.Sequential(
    nn.Conv2d(1, 8, 5, stride=2), nn.BatchNorm2d(8), nn.ReLU(),
    nn.Conv2d(8, 16, 5, stride=2), nn.BatchNorm2d(16), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.1), nn.Linear(16, 10))
program = torch.export.export(
    network.train(), (torch.zeros(4, 1, 28, 28),),
    dynamic_shapes=({0: torch.export.Dim("batch")},))
torch.export.save(program, "network.pt2")
