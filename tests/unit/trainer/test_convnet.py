"""The convolutional network: equal to torch's own modules, in any size, explained completely."""

from __future__ import annotations

import copy
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.unit.trainer.test_families import generator, gradients
from trainyard.api.trainingjob import TrainingJob
from trainyard.local.attempt import local_attempt
from trainyard_model import Batch, ImageShape, Shape
from trainyard_model.errors import ShapeError
from trainyard_model.families.attribution import log_odds
from trainyard_model.families.convnet import FAMILY, ConvNet
from trainyard_model.families.convnet import network as code
from trainyard_model.peers import Peers
from trainyard_trainer.assembly import assemble
from trainyard_trainer.data.load import load
from trainyard_trainer.data.prepare import prepare
from trainyard_trainer.errors import InvalidSpec
from trainyard_trainer.fit.losses import make_loss
from trainyard_trainer.fit.optimizers import make_optimizer
from trainyard_trainer.fit.settings import OptimizerSettings
from trainyard_trainer.resolve import resolve

LOSS = make_loss("Classification", None, 0.0)
COLOUR = ImageShape(3, 11, 14, (0.2, 0.5, 0.6), (0.1, 0.2, 0.3))
SMALL = {"conv": [{"channels": 6}, {"channels": 8, "pool": 1}], "dense": [{"units": 12}]}
PLAIN = {**SMALL, "batch_norm": False}


def build(settings: dict[str, Any], image: ImageShape = COLOUR, outputs: int = 4, **more: Any) -> ConvNet:
    torch.manual_seed(0)
    shape = Shape(0, (), outputs, image=image, **more)
    network = FAMILY.build(FAMILY.config(FAMILY.settings(**settings), shape))
    assert isinstance(network, ConvNet)
    return network


def pixels(rows: int = 24, image: ImageShape = COLOUR, seed: int = 1) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    size = (rows, image.channels, image.height, image.width)
    return torch.randint(0, 256, size, generator=g, dtype=torch.uint8)


def batch(rows: int = 24, outputs: int = 4) -> Batch:
    target = torch.randint(0, outputs, (rows,), generator=torch.Generator().manual_seed(2))
    return Batch((pixels(rows),), target)


class Plain(nn.Module):
    """The same network of torch's modules, in its default memory format and its usual order."""

    def __init__(self, ours: ConvNet) -> None:
        super().__init__()
        config, layers, inputs = ours.config, [], ours.config.channels
        for block, settings in zip(ours.blocks, config.conv, strict=True):
            before, after = (settings.kernel - 1) // 2, settings.kernel // 2
            conv = nn.Conv2d(inputs, settings.channels, settings.kernel, settings.stride)
            conv.weight.data.copy_(block.weight)
            conv.bias.data.copy_(torch.zeros(settings.channels) if block.bias is None else block.bias)
            layers += [nn.ZeroPad2d((before, after, before, after)), conv]
            layers += [nn.BatchNorm2d(settings.channels)] if config.batch_norm else []
            layers += [nn.ReLU(), nn.MaxPool2d(settings.pool)]
            inputs = settings.channels
        layers.append(nn.Flatten())
        _, last = config.maps[-1]
        for i, layer in enumerate([*ours.dense, ours.head]):
            weight = layer.weight.detach()
            if i == 0:  # ours reads the maps channels last
                weight = weight.view(-1, *last[1:], last[0]).permute(0, 3, 1, 2).flatten(1)
            linear = nn.Linear(weight.shape[1], weight.shape[0])
            linear.weight.data.copy_(weight)
            linear.bias.data.copy_(layer.bias)
            layers += [linear, nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1])
        self.means, self.scales = (torch.tensor(v).view(1, -1, 1, 1) for v in (config.means, config.scales))

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.layers((x.to(self.layers[1].weight.dtype) / 255 - self.means) / self.scales)
        return found


SETTINGS = [
    pytest.param(SMALL, id="norm"),
    pytest.param(PLAIN, id="no-norm"),
    pytest.param({"conv": [{"channels": 5, "kernel": 4, "pool": 3}]}, id="even-kernel"),
    pytest.param({"conv": [{"channels": 5, "kernel": 2, "stride": 2, "pool": 1}]}, id="even-kernel-stride"),
    pytest.param(
        {"conv": [{"channels": 4, "kernel": 5, "stride": 3}, {"channels": 9, "kernel": 1, "pool": 1}]},
        id="stride",
    ),
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_it_is_what_torchs_modules_compute(settings: dict[str, Any]) -> None:
    ours = build(settings).train()
    theirs, rows = Plain(ours).train(), batch()
    optimizers = [make_optimizer(net.parameters(), OptimizerSettings("sgd", 0.05)) for net in (ours, theirs)]
    for _ in range(3):
        for optimizer in optimizers:
            optimizer.zero_grad()
        value = ours.backward(rows, LOSS, generator())
        expected = LOSS(theirs(*rows.inputs), rows.target)
        expected.backward()
        torch.testing.assert_close(value, expected.detach(), rtol=1e-5, atol=1e-6)
        for optimizer in optimizers:
            optimizer.step()
    with torch.inference_mode():
        found, wanted = ours.eval().outputs(pixels(9)), theirs.eval()(pixels(9))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_folded_norm_is_exact(settings: dict[str, Any]) -> None:
    ours = build(settings).train()
    ours.backward(batch(), LOSS, generator())
    theirs = Plain(ours)
    norms = [layer for layer in theirs.layers if isinstance(layer, nn.BatchNorm2d)]
    for block, norm in zip(ours.blocks, norms, strict=False):
        norm.running_mean.copy_(block.norm.running_mean)
        norm.running_var.copy_(block.norm.running_var)
    with torch.inference_mode():
        found = ours.double().eval().outputs(pixels())
        wanted = theirs.double().eval()(pixels())
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("settings", SETTINGS)
def test_maps_have_the_sizes_told(settings: dict[str, Any]) -> None:
    net = build(settings).eval()
    x = net.normalised(pixels(2))
    for block, (_, pooled) in zip(net.blocks, net.config.maps, strict=True):
        x = block(x, None, None)
        assert tuple(x.shape[1:]) == pooled


@pytest.mark.parametrize(
    ("conv", "place", "left"),
    [
        ([{"channels": 2, "pool": 12}], "conv[0].pool", "11 x 14 are left in block 1"),
        ([{"channels": 2}, {"channels": 2}, {"channels": 2, "pool": 4}], "conv[2].pool", "leaves 0 x 0"),
        (
            [{"channels": 2, "stride": 16, "pool": 1}, {"channels": 2}],
            "conv[1].pool",
            "1 x 1 are left",
        ),
        ([{"channels": 2, "pool": 11}, {"channels": 2, "pool": 1}, {"channels": 2}], "conv[2]", "1 x 1"),
    ],
)
def test_a_pool_that_leaves_nothing_is_refused(conv: list[dict[str, int]], place: str, left: str) -> None:
    with pytest.raises(ShapeError) as caught:
        build({"conv": conv})
    assert place in caught.value.message
    assert left in caught.value.message
    assert "11 x 14 pixels" in caught.value.message
    assert "pool" in caught.value.remedy


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (2, 3), (65, 33)])
@pytest.mark.parametrize("channels", [1, 2, 4])
def test_any_size_and_channel_count(size: tuple[int, int], channels: int) -> None:
    image = ImageShape(channels, *size, (0.5,) * channels, (0.2,) * channels)
    net = build({"conv": [{"channels": 4, "pool": 1}, {"channels": 4, "stride": 2, "pool": 1}]}, image)
    rows = Batch((pixels(6, image),), torch.arange(6) % 4)
    assert net.train().backward(rows, LOSS, generator()).isfinite()
    assert net.eval().outputs(*rows.inputs).shape == (6, 4)
    assert net.explain(*rows.inputs).shape == (6, *size)


def test_pixels_are_standardised_by_channel() -> None:
    net = build(SMALL)
    found = net.normalised(torch.tensor([51, 153, 255], dtype=torch.uint8).view(1, 3, 1, 1))
    wanted = [(0.2 - 0.2) / 0.1, (0.6 - 0.5) / 0.2, (1.0 - 0.6) / 0.3]
    torch.testing.assert_close(found.flatten(), torch.tensor(wanted), rtol=1e-5, atol=1e-6)


def test_dropout_is_the_generators_and_only_trainings() -> None:
    dropped = {
        "conv": [{"channels": 6, "dropout": 0.4}],
        "dense": [{"units": 12, "dropout": 0.5}],
        "batch_norm": False,
    }
    net, kept = build(dropped), build({**dropped, "conv": [{"channels": 6}], "dense": [{"units": 12}]})
    rows = batch()
    values = [net.train().training_loss(rows, LOSS, generator(seed)) for seed in (1, 1, 2)]
    assert torch.equal(values[0], values[1])
    assert not torch.equal(values[0], values[2])
    with torch.inference_mode():
        assert torch.equal(net.eval().outputs(*rows.inputs), kept.eval().outputs(*rows.inputs))


def test_weights_that_were_packed_lie_as_before() -> None:
    """A contiguous copy of the weights must not bring back the slow order, nor mix up a fused optimiser."""
    net, again = build(SMALL).train(), build(SMALL).train()
    again.load_state_dict({k: v.contiguous() for k, v in copy.deepcopy(net.state_dict()).items()})
    for one in (net, again):
        optimizer = make_optimizer(one.parameters(), OptimizerSettings("adamw", 0.01))
        for _ in range(3):
            optimizer.zero_grad()
            one.backward(batch(), LOSS, generator())
            optimizer.step()
    for block, other in zip(net.blocks, again.blocks, strict=True):
        assert other.weight.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(block.weight, other.weight)


@pytest.mark.parametrize("settings", [SMALL, PLAIN], ids=["norm", "no-norm"])
@pytest.mark.parametrize(("outputs", "classification"), [(2, True), (4, True), (1, False), (3, False)])
def test_attributions_add_up_to_what_the_image_changes(
    settings: dict[str, Any], outputs: int, classification: bool
) -> None:
    net = build(settings, outputs=outputs, classification=classification).train()
    if classification:
        net.backward(batch(outputs=outputs), LOSS, generator())  # moves what the norms remember
    x = pixels(12)
    found = net.eval().explain(x)
    assert found.shape == (12, 11, 14)
    with torch.no_grad():
        out = net.outputs(x)
        nothing = net.answer(torch.zeros(1, 3, 11, 14)).expand_as(out)
    if classification:
        chosen = out.argmax(1) if outputs > 2 else torch.ones(12, dtype=torch.long)
        change = log_odds(out, chosen) - log_odds(nothing, chosen)
    else:
        change = out.sum(1) - nothing.sum(1)
    error = (found.sum((1, 2)) - change).abs()
    assert (error <= 0.02 * change.abs().clamp_min(0.1) + 1e-5).all(), (error, change)


def test_memory_does_not_grow_with_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    net, x = build(SMALL).eval(), pixels(21)
    whole, explained = net.outputs(x), net.explain(x)
    seen: list[int] = []
    answer = net.answer

    def counted(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        seen.append(len(x))
        return answer(x, generator)

    monkeypatch.setattr(net, "answer", counted)
    monkeypatch.setattr(code, "_CELLS", 8 * net.widest)
    torch.testing.assert_close(net.outputs(x), whole, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(net.explain(x), explained, rtol=1e-3, atol=1e-4)
    assert max(seen) < 8


def test_a_norm_needs_two_rows_and_nothing_else_does() -> None:
    assert [build(SMALL).batch_rows(rows) for rows in (0, 1, 2, 100)] == [0, 0, 2, 100]
    assert [build(PLAIN).batch_rows(rows) for rows in (0, 1, 2, 100)] == [0, 1, 2, 100]


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_outline_has_every_parameter_once(settings: dict[str, Any]) -> None:
    net = build(settings)
    layers = net.outline()
    total = sum(p.numel() for p in net.parameters())
    assert sum(layer.parameters for layer in layers if layer.depth == 0) == total
    inner = [layer for layer in layers if layer.depth]
    in_blocks = sum(p.numel() for p in net.blocks.parameters())
    assert sum(layer.parameters for layer in inner) == in_blocks
    assert [layer.shape for layer in layers if layer.name.count(".") == 1][: len(net.blocks)] == [
        pooled for _, pooled in net.config.maps
    ]
    assert layers[-1].shape == (4,)
    assert all(source < i for i, layer in enumerate(layers) for source in layer.sources)


def test_processes_together_are_one() -> None:
    """Two halves of a batch, in two threads that add up what they share."""
    rows, (images,) = batch(), batch().inputs
    whole = build(SMALL).train()
    value = whole.backward(rows, LOSS, generator())
    barrier, shared = threading.Barrier(2, timeout=60), {}

    def half(rank: int) -> tuple[ConvNet, Tensor]:
        def add(x: Tensor) -> None:
            shared[rank] = x.clone()
            barrier.wait()
            total = shared[0] + shared[1]
            barrier.wait()
            x.copy_(total)

        net, own = nets[rank], slice(rank * 12, rank * 12 + 12)
        net.peers = Peers(rank, 2, add)
        return net, net.backward(Batch((images[own],), rows.target[own]), LOSS, generator())

    nets = [build(SMALL).train() for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        (first, a), (second, b) = pool.map(half, range(2))
    torch.testing.assert_close((a + b) / 2, value)
    found, other, wanted = gradients(first), gradients(second), gradients(whole)
    for name in wanted:
        torch.testing.assert_close((found[name] + other[name]) / 2, wanted[name], rtol=1e-4, atol=1e-6)
    for name, buffer in whole.named_buffers():
        torch.testing.assert_close(dict(first.named_buffers())[name], buffer)
        assert torch.equal(dict(first.named_buffers())[name], dict(second.named_buffers())[name])


def test_a_manifest_whose_pools_leave_nothing_is_refused(tmp_path: Path) -> None:
    manifest = {
        "apiVersion": "trainyard.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": "digits"},
        "spec": {
            "model": {"convnet": {"conv": [{"channels": 2, "pool": 4}, {"channels": 2, "pool": 3}]}},
            "data": {"source": {"uri": "sample://digits?as=image"}},
        },
    }
    job = resolve(local_attempt(TrainingJob.strict(manifest), "sqlite:///unused.db", "test"))
    table, notices = load(job.data, tmp_path)
    with pytest.raises(InvalidSpec, match=r"conv\[1\].pool: of 8 x 8 pixels 2 x 2 are left in block 2"):
        assemble(job, prepare(table, job.data, notices))
