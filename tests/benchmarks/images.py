"""Images: how right the ConvNet is on MNIST, how soon, and how long its epochs are beside the usual loop."""

from __future__ import annotations

import base64
import statistics
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from tests.benchmarks.contestant import Contestant
from tests.benchmarks.mnist import FOLDER, GOAL, TEST, TRAIN, Work, read, whole
from tests.benchmarks.report import Row, at_least, at_most, not_run, spread
from tests.benchmarks.runs import NO_DATA, SEEDS, train

OURS, PEER = "mnist_ours", "mnist_peer"
ACCURACY = "MNIST (ConvNet), test accuracy"
RACE = "MNIST, time to 99 %"
EPOCH = "MNIST, epoch at equal work"
RACE_GPU = "MNIST, time to 99 % on a GPU"
SERVED = "MNIST, served less trained, 1,000 raw rows"
EQUAL_ROWS, REPEATS, STEPS = 9_600, 4, 20


def accuracy() -> Iterator[Row]:
    """The official training file, a tenth of it held out, in ten epochs at most; the test file, once."""
    if not FOLDER.exists():
        yield not_run(ACCURACY, "", ">= 0.992", NO_DATA)
        return
    run = train("mnist", 1, *whole())
    note = f"{run.result.epochs} epochs, best {run.result.best_epoch}; {run.seconds:.0f} s in all; goal 0.994"
    yield at_least(ACCURACY, run["test_accuracy"], "", 0.992, note)


def race() -> Iterator[Row]:
    """Seconds of training and validation until 99 % of the held-out rows are right."""
    if not FOLDER.exists():
        yield not_run(RACE, "x", ">= 3", NO_DATA)
        return
    with Contestant(f"{OURS}:Race", Work()) as ours:
        runs = [ours.ask("run", seed) for seed in SEEDS]
    seconds = statistics.median(run["seconds"] for run in runs)
    yield from _on_a_gpu(runs)
    with Contestant(f"{PEER}:Race", Work()) as other:
        peer = other.ask("run", SEEDS[0])
    told = [f"ours {_told(run)}" for run in runs]
    if peer["validation"] < GOAL:
        told.append("the peer had not reached it yet")
    note = "; ".join([*told, f"peer {_told(peer)}"])
    reached = all(run["validation"] >= GOAL for run in runs)
    row = at_least(RACE, peer["seconds"] / seconds, "x", 3.0, note)
    yield row if reached else replace(row, ok=False)
    yield Row(f"{RACE}, seconds", round(seconds, 2), "s", peer=round(peer["seconds"], 2))


def _told(run: dict[str, Any]) -> str:
    return f"{run['seconds']:.1f} s, {run['epochs']} epochs, test {run['test']:.4f}"


def _on_a_gpu(runs: list[dict[str, Any]]) -> Iterator[Row]:
    """The same race; the first run warms the device up."""
    import torch

    if not torch.cuda.is_available():
        yield not_run(RACE_GPU, "s", "<= 3", "no GPU on this machine")
        return
    seconds = statistics.median(run["seconds"] for run in runs[1:])
    row = at_most(RACE_GPU, seconds, "s", 3.0, "; ".join(map(_told, runs)))
    yield row if all(run["validation"] >= GOAL for run in runs) else replace(row, ok=False)


def epoch() -> Iterator[Row]:
    """The same network, batches, optimiser and steps, in turn; that both learn the same comes first."""
    if not FOLDER.exists():
        yield not_run(EPOCH, "x", ">= 1.2", NO_DATA)
        return
    yield _equality()
    work = Work(EQUAL_ROWS)
    with ExitStack() as stack:
        both = [stack.enter_context(Contestant(f"{who}:equal", work)) for who in (OURS, PEER)]
        for fact in ("data", "rows", "parameters"):
            if both[0].facts[fact] != both[1].facts[fact]:
                raise AssertionError(f"not the same {fact}: {both[0].facts[fact]} and {both[1].facts[fact]}")
        rounds = [[one.ask("epoch") for one in both] for _ in range(1 + REPEATS)]
        threads = [one.facts["threads"]["epoch"] for one in both]
    ours, peer = (list(times) for times in zip(*rounds[1:], strict=True))
    gain = statistics.median(peer) / statistics.median(ours)
    note = (
        f"ours {spread(ours, 's')}, peer {spread(peer, 's')}; {EQUAL_ROWS:,} rows in batches of 64, "
        f"Adadelta, no validation; threads {threads[0]} and {threads[1]}"
    )
    yield at_least(EPOCH, gain, "x", 1.2, note)


def _equality() -> Row:
    """Losses of unshuffled steps without dropout, in float64, so that rounding hides nothing."""
    import torch
    from torch.nn.functional import nll_loss

    from tests.benchmarks.equality import CrossEntropy
    from tests.benchmarks.mnist_ours import make_job
    from tests.benchmarks.mnist_peer import MEAN, SCALE, Net
    from trainyard_model import FAMILIES, Batch, ImageShape, Shape
    from trainyard_trainer.fit.step import Stepper

    job, family = make_job("mnist-loop", 1), FAMILIES["convnet"]
    torch.manual_seed(1)
    still = replace(
        job.model,
        conv=tuple(replace(block, dropout=0.0) for block in job.model.conv),
        dense=tuple(replace(dense, dropout=0.0) for dense in job.model.dense),
    )
    shape = Shape(0, (), 10, image=ImageShape(1, 28, 28, (MEAN,), (SCALE,)))
    ours: Any = family.build(family.config(still, shape)).double()
    peer = Net(padding=1, dropout=False).double()
    with torch.no_grad():
        for conv, block in zip((peer.conv1, peer.conv2), ours.blocks, strict=True):
            conv.weight.copy_(block.weight)
            conv.bias.copy_(block.bias)
        first = ours.dense[0].weight.view(128, 14, 14, 64)  # ours reads maps channels last
        peer.dense.weight.copy_(first.permute(0, 3, 1, 2).flatten(1))
        peer.dense.bias.copy_(ours.dense[0].bias)
        peer.head.load_state_dict(ours.head.state_dict())
    images, labels = read(TRAIN)
    pixels, target = torch.from_numpy(images[: STEPS * 64].copy())[:, None], torch.from_numpy(labels)
    stepper = Stepper(ours.train(), CrossEntropy(), job.fit, torch.device("cpu"))
    optimizer = torch.optim.Adadelta(peer.parameters(), lr=1.0)
    worst = 0.0
    for step in range(STEPS):
        rows = slice(step * 64, step * 64 + 64)
        own = stepper(Batch((pixels[rows],), target[rows]), torch.Generator())
        optimizer.zero_grad()
        loss = nll_loss(peer(ours.normalised(pixels[rows]).contiguous()), target[rows])
        loss.backward()
        optimizer.step()
        worst = max(worst, abs(own.item() - loss.item()))
    note = f"loss of the last: {own.item():.6f} and {loss.item():.6f}"
    return at_most(f"MNIST, equality, loss of {STEPS} steps", worst, "", 1e-5, note)


def served() -> Iterator[Row]:
    """Answers of the package to files in base64, and of the network that was trained to the same pixels."""
    if not FOLDER.exists():
        yield not_run(SERVED, "", "<= 1e-05", NO_DATA)
        return
    import torch

    from tests.benchmarks.mnist_ours import make_job
    from tests.benchmarks.ours import Driven
    from trainyard_model.pictures import to_png
    from trainyard_trainer.package.build import build_package

    folder = Path(mkdtemp(prefix="trainyard-bench-"))
    driven = Driven(make_job("mnist-fast", 1, *whole(), "data.trainFraction=0.05"), folder)
    driven.train(lambda epoch: None)
    images, _ = read(TEST)
    few = images[:1000]
    pixels = torch.from_numpy(few[:, None].copy()).to(driven.fitter.device)
    with torch.inference_mode():
        trained = driven.network.eval().outputs(pixels).double().softmax(1).cpu().numpy()
    predictor, _ = build_package(driven.job.family, driven.network, driven.data, folder / "package")
    files = [base64.b64encode(to_png(image[:, :, None])).decode() for image in few]
    answers = predictor.scores({predictor.schema.columns[0].name: files})
    yield at_most(SERVED, float(abs(answers - trained).max()), "", 1e-5, "PNG files in base64")
