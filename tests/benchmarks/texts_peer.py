"""The usual PyTorch program for texts, as a contestant: packed sequences from a shuffling DataLoader.

Texts are tensors of unequal length. A batch is padded to its longest text by `collate`, packed, read by one
bidirectional `nn.LSTM`, unpacked, and the largest value of each unit over the tokens goes through dropout and
a linear layer. Adam, gradients clipped at norm 1; the loss is read every tenth step.
"""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torch.utils.data import DataLoader

from tests.benchmarks.prose import CLASSES, Prose, make_prose

Item = tuple[Tensor, int]


class Net(nn.Module):
    """Embedding, LSTM, maximum over the tokens, linear."""

    def __init__(self, vocabulary: int, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width, padding_idx=0)
        self.lstm = nn.LSTM(width, hidden, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * hidden, CLASSES)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        x = self.dropout(self.embedding(tokens))
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, padding_value=float("-inf"))
        found: Tensor = self.head(self.dropout(states.amax(1)))
        return found


class Program:
    """Its loop, an epoch at a time."""

    def __init__(self, prose: Prose) -> None:
        torch.manual_seed(1)
        made = make_prose(prose)
        self.items: list[Item] = [
            (torch.from_numpy(text), int(label)) for text, label in zip(made.texts, made.labels, strict=True)
        ]
        self.batch = prose.batch
        self.net = Net(made.vocabulary, prose.width, prose.hidden, 0.2)
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=0.002)
        self.tokens = 0
        self.threads = self._faster()
        self.facts = {
            "data": made.digest,
            "tokens": sum(len(text) for text in made.texts),
            "rows": len(self.items),
            "parameters": sum(p.numel() for p in self.net.parameters()),
            "threads": {"epoch": self.threads},
        }

    def _faster(self) -> int:
        """Give it the number of threads that it is faster with."""
        times = {}
        for threads in sorted({1, torch.get_num_threads()}):
            torch.set_num_threads(threads)
            few = self.items[: 8 * self.batch]
            times[threads] = min(self._run(few) for _ in range(3))
        return min(times, key=times.__getitem__)

    def epoch(self) -> float:
        """Seconds of one epoch."""
        torch.set_num_threads(self.threads)
        return self._run(self.items)

    def _run(self, items: list[Item]) -> float:
        loader = DataLoader(items, self.batch, shuffle=True, drop_last=True, collate_fn=collate)  # type: ignore[arg-type]
        start = time.perf_counter()
        self.net.train()
        for step, (tokens, lengths, target) in enumerate(loader):
            self.optimizer.zero_grad()
            loss = nn.functional.cross_entropy(self.net(tokens, lengths), target)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
            self.optimizer.step()
            if step % 10 == 0:
                loss.item()
        return time.perf_counter() - start


def collate(items: list[Item]) -> tuple[Tensor, Tensor, Tensor]:
    """Texts of a batch padded to the longest, their lengths, and their classes."""
    texts, target = zip(*items, strict=True)
    lengths = torch.tensor([len(text) for text in texts])
    return pad_sequence(list(texts), batch_first=True), lengths, torch.tensor(target)


def packed(**prose: Any) -> Program:
    """A contestant."""
    return Program(Prose(**prose))
