"""Texts: how right the LSTM is on BBC news, what vectors give it, and how long its epochs are."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

from tests.benchmarks.contestant import Contestant
from tests.benchmarks.news import FILE, FOLDS, Fold, folds
from tests.benchmarks.prose import LONGEST, MEDIAN, Prose, make_prose
from tests.benchmarks.report import Row, at_least, at_most, not_run, spread
from tests.benchmarks.runs import NO_DATA, train

OURS, PEER = "texts_ours:equal", "texts_peer:packed"
ACCURACY = f"BBC news (BiLSTM), {FOLDS}-fold accuracy"
FEW = "BBC news, a tenth of the training rows"
EPOCH = "texts, epoch at equal work"
SERVED = "BBC news, served less trained"
SEED, TENTH = 1, 0.1
WORK = Prose(rows=1600, width=100, hidden=64, batch=32)
REPEATS, STEPS = 5, 10


def accuracy() -> Iterator[Row]:
    """Every text is judged once; vectors are learnt anew from the texts that train."""
    if not FILE.exists():
        yield not_run(ACCURACY, "", ">= 0.96", NO_DATA)
        return
    parts = folds(SEED)
    runs = [_train(part, "vectors") for part in parts]
    right, of = sum(run[0] for run in runs), sum(len(part.test) for part in parts)
    peer = sum(_tfidf(part) * len(part.test) for part in parts) / of
    each = ", ".join(f"{share / len(part.test):.4f}" for (share, _), part in zip(runs, parts, strict=True))
    seconds = statistics.mean(run[1] for run in runs)
    told = f"{each}; {of:,} texts, none twice; {seconds:.0f} s a fold; peer: TF-IDF, logistic regression"
    yield at_least(ACCURACY, right / of, "", 0.96, told, round(peer, 4))
    gap = 100 * (right / of - peer)
    yield Row(f"{ACCURACY} less TF-IDF's", round(gap, 2), "points", note="the same texts, whole")


def few() -> Iterator[Row]:
    """With vectors learnt from all training texts, and without; the categories of a tenth are known."""
    name = f"{FEW}, vectors less none"
    if not FILE.exists():
        yield not_run(name, "points", ">= 0", NO_DATA)
        return
    fold, share = folds(SEED)[0], f"data.trainFraction={TENTH}"
    longer = "training.epochs=30"
    with_them, without = (_train(fold, how, share, longer)[0] / len(fold.test) for how in ("vectors", "none"))
    note = f"test accuracy {with_them:.4f} with, {without:.4f} without; {len(fold.test)} texts judged"
    yield at_least(name, 100 * (with_them - without), "points", 0.0, note)


def _train(fold: Fold, how: str, *changes: str) -> tuple[float, float]:
    """How many of the fold's texts are told right, and the seconds that it took, vectors included."""
    with TemporaryDirectory(prefix="trainyard-bench-") as folder:
        vectors = fold.vectors(Path(folder)) if how == "vectors" else "data.text.vectors=null"
        run = train("news", SEED, *fold.files(Path(folder)), vectors, *changes)
    return run["test_accuracy"] * len(fold.test), run.seconds


def _tfidf(fold: Fold) -> float:
    """Accuracy of the usual linear model, trained on validation rows too."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    words = TfidfVectorizer(sublinear_tf=True)
    (labels, texts), (truth, judged) = (zip(*rows, strict=True) for rows in (fold.train, fold.test))
    model = LogisticRegression(max_iter=1000).fit(words.fit_transform(texts), labels)
    return float(model.score(words.transform(judged), truth))


def epoch() -> Iterator[Row]:
    """The same network, batches, optimiser and tokens, in turn; that both learn the same comes first."""
    yield _equality()
    with ExitStack() as stack:
        both = [stack.enter_context(Contestant(who, WORK)) for who in (OURS, PEER)]
        for fact in ("data", "rows", "tokens", "parameters"):
            if both[0].facts[fact] != both[1].facts[fact]:
                raise AssertionError(f"not the same {fact}: {both[0].facts[fact]} and {both[1].facts[fact]}")
        rounds = [[one.ask("epoch") for one in both] for _ in range(1 + REPEATS)]
        threads = [one.facts["threads"]["epoch"] for one in both]
    ours, peer = (list(times) for times in zip(*rounds[1:], strict=True))
    tokens = both[0].facts["tokens"]
    note = (
        f"ours {spread(ours, 's')}, peer {spread(peer, 's')}; {WORK.rows:,} texts of {tokens:,} tokens "
        f"(log-normal, median {MEDIAN}, at most {LONGEST}), vectors of {WORK.width}, {WORK.hidden} units a "
        f"direction, batches of {WORK.batch}, Adam, no validation; "
        f"{tokens / statistics.median(ours):,.0f} tokens/s; threads {threads[0]} and {threads[1]}"
    )
    yield at_least(EPOCH, statistics.median(peer) / statistics.median(ours), "x", 1.5, note)


def _equality() -> Row:
    """Losses of unshuffled steps without dropout, in float64, so that rounding hides nothing."""
    import torch
    from torch.nn.functional import cross_entropy

    from tests.benchmarks.equality import CrossEntropy
    from tests.benchmarks.texts_ours import make_job
    from tests.benchmarks.texts_peer import Net, collate
    from trainyard_model import FAMILIES, Batch, Shape, TextShape
    from trainyard_trainer.fit.step import Stepper

    torch.set_num_threads(1)
    made, family = make_prose(WORK), FAMILIES["lstm"]
    job = make_job(WORK, Path("prose.csv"))
    shape = Shape(0, (), 5, text=TextShape(made.vocabulary, LONGEST))
    ours: Any = family.build(family.config(replace(job.model, dropout=0.0), shape)).double()
    peer = Net(made.vocabulary, WORK.width, WORK.hidden, 0.0).double()
    with torch.no_grad():
        peer.embedding.load_state_dict(ours.embedding.state_dict())
        peer.head.load_state_dict(ours.head.state_dict())
        for way, direction in zip(("", "_reverse"), ours.layers[0], strict=True):
            for name, value in direction.named_parameters():
                peer.lstm.get_parameter(f"{name}{way}").copy_(value)
    stepper = Stepper(ours.train(), CrossEntropy(), job.fit, torch.device("cpu"))
    optimizer = torch.optim.Adam(peer.parameters(), lr=job.fit.optimizer.learning_rate)
    items = [
        (torch.from_numpy(text), int(label)) for text, label in zip(made.texts, made.labels, strict=True)
    ]
    worst = 0.0
    for step in range(STEPS):
        tokens, lengths, target = collate(items[step * WORK.batch : (step + 1) * WORK.batch])
        own = stepper(Batch((tokens.int(),), target), torch.Generator())
        optimizer.zero_grad()
        loss = cross_entropy(peer(tokens, lengths), target)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(peer.parameters(), 1.0)
        optimizer.step()
        worst = max(worst, abs(float(own) - float(loss.detach())))
    note = f"loss of the last: {float(own):.6f} and {float(loss.detach()):.6f}"
    return at_most(f"texts, equality, loss of {STEPS} steps", worst, "", 1e-6, note)


def served() -> Iterator[Row]:
    """Answers of the package to raw texts, and of the network that was trained to their tokens."""
    if not FILE.exists():
        yield not_run(SERVED, "", "<= 1e-05", NO_DATA)
        return
    import torch

    from tests.benchmarks.ours import Driven
    from tests.benchmarks.runs import manifest
    from trainyard.local.attempt import local_attempt
    from trainyard_trainer.package.build import build_package
    from trainyard_trainer.resolve import resolve

    folder = Path(mkdtemp(prefix="trainyard-bench-"))
    fold = folds(SEED)[0]
    less = (
        "data.text.vectors=null",
        "data.trainFraction=0.1",
        "data.split.validation=0.1",
        "training.epochs=1",
    )
    changes = (*fold.files(folder), *less)
    job = resolve(local_attempt(manifest("news", SEED, *changes), "sqlite:///unused.db", "bench"))
    driven = Driven(job, folder)
    driven.train(lambda epoch: None)
    tokens = torch.from_numpy(driven.data.validation.inputs[0]).to(driven.fitter.device)
    with torch.inference_mode():
        trained = driven.network.eval().outputs(tokens).double().softmax(1).cpu().numpy()
    predictor, _ = build_package(job.family, driven.network, driven.data, folder / "package")
    answers = predictor.scores(driven.data.raw(driven.data.rows.validation))
    note = f"{len(answers)} raw texts"
    yield at_most(SERVED, float(abs(answers - trained).max()), "", 1e-5, note)
