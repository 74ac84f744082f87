"""The usual first PyTorch program for MNIST, written anew from its known facts, as a contestant.

Two convolutions of 3 x 3 (32 and 64 channels) with ReLU, a max pool of 2, dropout 0.25, 128 dense units with
ReLU, dropout 0.5, log-softmax; Adadelta at rate 1.0, multiplied by 0.7 after each epoch; batches of 64 by a
shuffling DataLoader over pictures that are made tensors and standardised one by one; the loss is read every
tenth step. Without workers, as the program does on a CPU.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from tests.benchmarks.cells import digest
from tests.benchmarks.mnist import GOAL, TEST, TRAIN, read

MEAN, SCALE = 0.1307, 0.3081
MOST_EPOCHS = 3


class Digits(Dataset[tuple[Tensor, int]]):
    """Pictures that become tensors when they are asked for."""

    def __init__(self, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
        self.images, self.labels = torch.from_numpy(images.copy()), torch.from_numpy(labels)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        return standardised(to_tensor(Image.fromarray(self.images[row].numpy()))), int(self.labels[row])


def to_tensor(picture: Image.Image) -> Tensor:
    """A grey picture as (1, height, width) in [0, 1]."""
    pixels = torch.from_numpy(np.array(picture, copy=True))
    return pixels.view(picture.height, picture.width, 1).permute(2, 0, 1).contiguous().float().div(255)


def standardised(x: Tensor) -> Tensor:
    """Less the mean, by the deviation."""
    mean, scale = (torch.tensor([v], dtype=x.dtype).view(-1, 1, 1) for v in (MEAN, SCALE))
    return x.clone().sub_(mean).div_(scale)


class Net(nn.Module):
    """The network; `padding` 1 keeps the maps' size, as ours does, and dropout can be left out."""

    def __init__(self, padding: int = 0, dropout: bool = True) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, padding=padding)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=padding)
        self.drop1 = nn.Dropout(0.25 if dropout else 0.0)
        self.dense = nn.Linear(64 * (12 + 2 * padding) ** 2, 128)
        self.drop2 = nn.Dropout(0.5 if dropout else 0.0)
        self.head = nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.conv1(x))
        x = functional.relu(self.conv2(x))
        x = self.drop1(functional.max_pool2d(x, 2))
        x = functional.relu(self.dense(torch.flatten(x, 1)))
        return functional.log_softmax(self.head(self.drop2(x)), dim=1)


class Program:
    """Its loop, an epoch at a time."""

    def __init__(self, images: NDArray[np.uint8], labels: NDArray[np.int64], seed: int, padding: int) -> None:
        torch.manual_seed(seed)
        self.net = Net(padding)
        self.loader = DataLoader(Digits(images, labels), batch_size=64, shuffle=True)
        self.optimizer = torch.optim.Adadelta(self.net.parameters(), lr=1.0)
        self.schedule = torch.optim.lr_scheduler.StepLR(self.optimizer, step_size=1, gamma=0.7)
        self.facts = {
            "data": digest(images, labels),
            "rows": len(labels),
            "parameters": sum(p.numel() for p in self.net.parameters()),
            "threads": {"epoch": torch.get_num_threads()},
        }

    def epoch(self) -> float:
        """Seconds of one epoch."""
        start = time.perf_counter()
        self.net.train()
        for step, (data, target) in enumerate(self.loader):
            self.optimizer.zero_grad()
            loss = functional.nll_loss(self.net(data), target)
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
            if step % 10 == 0:
                loss.item()
        self.schedule.step()
        return time.perf_counter() - start

    @torch.no_grad()
    def accuracy(self, rows: DataLoader[tuple[Tensor, int]]) -> float:
        """Share of rows that are told right."""
        self.net.eval()
        return sum(int((self.net(x).argmax(1) == y).sum()) for x, y in rows) / len(rows.dataset)  # type: ignore[arg-type]


class Race:
    """From the first step to 99 % of the rows that are held out; those are looked at after each epoch."""

    def __init__(self, rows: int) -> None:
        self.facts = {"parameters": sum(p.numel() for p in Net().parameters())}

    def run(self, seed: int) -> dict[str, Any]:
        """Seconds, epochs and accuracies."""
        images, labels = read(TRAIN)
        order = np.random.default_rng(seed).permutation(len(labels))
        held, trained = order[: len(order) // 10], order[len(order) // 10 :]
        program = Program(images[trained], labels[trained], seed, padding=0)
        validation = DataLoader(Digits(images[held], labels[held]), batch_size=1000)
        start, epochs, reached = time.perf_counter(), 0, 0.0
        while reached < GOAL and epochs < MOST_EPOCHS:
            program.epoch()
            epochs, reached = epochs + 1, program.accuracy(validation)
        seconds = time.perf_counter() - start
        test = program.accuracy(DataLoader(Digits(*read(TEST)), batch_size=1000))
        return {"seconds": seconds, "epochs": epochs, "validation": reached, "test": test}


def equal(rows: int) -> Program:
    """A contestant over the first rows, with our padding."""
    images, labels = read(TRAIN)
    return Program(images[:rows], labels[:rows], seed=1, padding=1)
