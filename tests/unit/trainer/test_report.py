"""The report as a whole: nothing missing, empty, cut off or broken, whatever the size of the task."""

from __future__ import annotations

import ast
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from tests.unit.trainer.findings import classified, pictured, regressed, written
from trainyard_trainer import report
from trainyard_trainer.report import (
    Findings,
    Part,
    Report,
    learning,
    make_report,
    mosaic,
    pace,
    page,
    passages,
    pick,
    pictures,
    style,
)
from trainyard_trainer.report.make import PAGE

CASES = {
    "two classes": lambda: classified(2, 400, 3, 1),
    "many classes and columns": lambda: classified(200, 2000, 400, 100, absent=True),
    "two rows": lambda: classified(3, 2, 1, 1, absent=True),
    "five targets": lambda: regressed(5, 60),
    "long texts": lambda: written(30, 100, 500),
    "small grey images": lambda: pictured(10, 200, (8, 8)),
    "wide images of two values": lambda: pictured(0, 30, (40, 96, 3)),
}
_VOID = {"meta", "path", "use", "rect", "image", "br", "stop"}


@pytest.fixture(scope="module", params=CASES)
def made(request: pytest.FixtureRequest) -> tuple[Findings, Report]:
    findings = CASES[request.param]()
    return findings, make_report(findings)


class Page(HTMLParser):
    """Open and close tags in balance; the texts."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _VOID:
            self.open.append(tag)
        self.links += [str(value) for name, value in attrs if name in ("src", "href", "xlink:href")]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [str(value) for name, value in attrs if name in ("src", "href", "xlink:href")]

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["style"], ["script"]):
            self.texts.append(data)


def read(made: Report) -> tuple[Page, str]:
    page = Page()
    page.feed(made.files[PAGE].decode())
    return page, " ".join(page.texts)


def test_every_part_is_made(made: tuple[Findings, Report]) -> None:
    _, text = read(made[1])
    assert "could not be made" not in text
    assert "nan" not in re.findall(r"[a-z]+", text.lower())
    titles = ["In short", "What it reached", "How it learned", "What it looks at", "Where it fails"]
    titles += ["What it can read"] if made[0].inputs == "text" else []
    titles += ["Images of each class"] if made[0].inputs == "image" and made[0].classification else []
    titles += ["Column by column"] if made[0].inputs == "table" else []
    for title in titles:
        assert title in text


def test_the_page_stands_alone(made: tuple[Findings, Report]) -> None:
    page, text = read(made[1])
    assert page.open == []
    assert "<script" not in made[1].files[PAGE].decode()
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in page.links)
    assert not re.findall(r"url\((?!#)", made[1].files[PAGE].decode())
    assert "viewport" in made[1].files[PAGE].decode()
    if made[0].classification and made[0].inputs == "table":
        assert "<b>class" in text  # as text, not as markup


def test_pictures_are_whole_and_not_empty(made: tuple[Findings, Report]) -> None:
    from matplotlib.image import imread

    pictures = {name: content for name, content in made[1].files.items() if name.endswith(".png")}
    assert len(pictures) >= 8
    for name, content in pictures.items():
        picture = imread(io.BytesIO(content))[:, :, :3]
        border = (picture[0], picture[-1], picture[:, 0], picture[:, -1])
        assert all((edge > 0.99).all() for edge in border), f"{name} is cut off"
        inked = float((picture.min(2) < 0.9).mean())
        assert inked > 0.005, f"{name} is empty"
        assert max(picture.shape) < 1600, f"{name} is too large"


def test_each_chart_has_its_numbers(made: tuple[Findings, Report]) -> None:
    files = made[1].files
    for name in files:
        if name.endswith((".png", ".svg")):
            assert f"{Path(name).stem}.json" in files
    for name, content in files.items():
        if name.endswith(".json"):
            table = json.loads(content)
            assert table["data"], name
            assert all(len(row) == len(table["columns"]) for row in table["data"]), name


def test_sizes_stay_bounded(made: tuple[Findings, Report]) -> None:
    files = made[1].files
    assert len(files) < 80
    assert sum(len(content) for content in files.values()) < 12_000_000
    assert len(files[PAGE]) < 2_000_000


def test_words_are_marked_where_they_stand() -> None:
    text = "The goal, the Goal: a goal."
    found = [
        {"text": "goal", "start": 22, "end": 26, "weight": -1.0},
        {"text": "goal", "start": 4, "end": 8, "weight": 2.0},
        {"text": "the", "start": 10, "end": 13, "weight": 1.0},
        {"text": "oal", "start": 5, "end": 8, "weight": 1.0},  # within the one before
    ]
    pieces = passages.spans(text, found)
    assert "".join(piece for piece, _ in pieces) == text
    assert [piece for piece in pieces if piece[1]] == [("goal", 1.0), ("the", 0.5), ("goal", -0.5)]
    assert page._span("goal", -0.5) == '<mark style="background:rgba(0,114,178,0.35)">goal</mark>'
    assert page._span("<goal>", 0.01) == "&lt;goal&gt;"


def test_a_long_text_is_shown_where_it_counts() -> None:
    text = "dull " * 500 + "verdict " * 5 + "dull " * 500
    at = text.index("verdict")
    found = [
        {"text": "dull", "start": start, "end": start + 4, "weight": 0.01} for start in range(0, at, 5)
    ] + [{"text": "verdict", "start": at + 8 * i, "end": at + 8 * i + 7, "weight": 1.0} for i in range(5)]
    pieces = passages.spans(text, found)
    assert pieces[0][0] == "… "
    assert pieces[-1][0] == " …"
    assert [piece for piece, weight in pieces if weight == 1.0] == ["verdict"] * 5
    assert sum(len(piece) for piece, _ in pieces) < 620
    assert passages.spans("", []) == []


def test_what_is_shown_is_explained() -> None:
    for findings, kind in ((written(4, 300), "text"), (pictured(4, 300, (8, 8)), "image")):
        rows = set(pick.to_explain(findings).tolist())
        most = pick.SHOWN[kind]
        assert rows >= set(pick.worst(findings, most).tolist()) | set(pick.mistaken(findings, most).tolist())
        assert len(rows) < 150
        assert pick.to_explain(findings)[0] == pick.mistaken(findings, 1)[0]


def test_slow_explanations_end_in_time() -> None:
    class Clock:
        now = 0.0

        def __call__(self) -> float:
            return self.now

    clock, rows, sizes = Clock(), np.arange(1000), []
    for piece in pace.paced(rows, 10.0, clock):
        sizes.append(len(piece))
        clock.now += 0.1 * len(piece)
    assert sizes[0] == 4
    assert 90 <= sum(sizes) <= 100
    clock.now = 0.0
    slow = []
    for piece in pace.paced(rows, 10.0, clock):
        slow.append(len(piece))
        clock.now += 30.0
    assert slow == [4]  # these at least
    assert [row for piece in pace.paced(rows, 1e9) for row in piece] == rows.tolist()
    assert list(pace.paced(rows[:0])) == []


def test_images_are_made_smaller_and_coloured() -> None:
    image = np.arange(200 * 90, dtype=np.uint8).reshape(200, 90)
    assert max(mosaic.smaller(image, 96).shape) <= 96
    assert mosaic.smaller(image[:8, :8], 96).tolist() == image[:8, :8].tolist()
    assert mosaic.coloured(image).shape == (200, 90, 3)
    glass = np.zeros((2, 2, 4), dtype=np.uint8)
    assert mosaic.coloured(glass).min() == 255
    heat = pictures.heated(mosaic.coloured(image[:8, :8]), np.eye(8))
    assert (heat[0, 0] == (213, 94, 0)).all()
    assert len(set(heat[0, 1].tolist())) == 1


def test_many_classes_are_put_together_and_counted() -> None:
    from trainyard_trainer.report import confusion, importance

    findings = classified(200, 3000, 400, 100, absent=True)
    counts = confusion.matrix(findings)
    small, chosen = confusion.aggregated(counts)
    assert len(small) == len(chosen) + 1 <= 20
    assert small.sum() == counts.sum() == 3000
    for i, c in enumerate(chosen):
        assert small[i, i] == counts[c, c]
        assert small[i].sum() == counts[c].sum()
        assert small[:, i].sum() == counts[:, c].sum()
    means, rows = importance.masks(findings, list(findings.importance))
    assert means.shape == (200, 500)
    assert rows[-1] == 0
    assert means[:-1][np.array(rows[:-1]) > 0].sum(1) == pytest.approx(1.0)


def test_the_same_findings_make_the_same_files() -> None:
    findings = regressed(1, 2, history={})
    with style.styled():
        assert learning.section(findings) == learning.section(findings)


def test_a_wide_range_of_losses_has_plain_numbers_beside_it() -> None:
    history = {e: {"train_loss": 10.0 ** (2 - e), "val_loss": 10.0 ** (2 - e)} for e in range(1, 7)}
    with style.styled():
        section = learning.section(regressed(1, 5, history=history))
    assert section is not None
    svg = section.blocks[0].svg  # type: ignore[union-attr]
    assert ">0.001<" in svg
    assert "mathdefault" not in svg


def test_a_part_that_fails_leaves_the_others(caplog: pytest.LogCaptureFixture) -> None:
    findings = regressed(1, 5, columns={"x": None})
    _, text = read(make_report(findings))
    assert "This part could not be made" in text
    assert "How far it is off" in text
    assert "could not be made" in caplog.text


def test_nothing_known_but_scores() -> None:
    bare = Findings(
        name="bare",
        family="mlp",
        task="Classification",
        targets=("y",),
        classes=(False, True),
        judged=Part(np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([0, 1]), np.arange(2)),
        part="validation",
    )
    _, text = read(make_report(bare))
    assert "could not be made" not in text
    assert "There is no test part" in text


def test_files_are_written(tmp_path: Path) -> None:
    written = Report({"report.html": b"<p>", "a.json": b"{}"})
    paths = written.write(tmp_path / "report")
    assert {path.name: path.read_bytes() for path in paths} == written.files


def test_matplotlib_is_imported_when_something_is_drawn_and_not_before() -> None:
    for path in Path(report.__file__).parent.glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                assert "matplotlib" not in ast.unparse(node), path.name
