"""A column of texts on its way into a training: which one, what is learned of it, what people are told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trainyard_trainer.data import memory, samples
from trainyard_trainer.data.load import open_sources
from trainyard_trainer.data.prepare import Prepared, divided, folds, prepare, understand
from trainyard_trainer.data.settings import (
    ColumnSettings,
    DataSettings,
    SourceSettings,
    SplitSettings,
    TextSettings,
    VectorSettings,
)
from trainyard_trainer.data.table import Numbers, Table, Texts, Values
from trainyard_trainer.errors import DataError

ROWS = 120
GOOD = ("a fine sunny day number {}", "dreadful rain and wind number {}")
NOTES: list[str | None] = [GOOD[i % 2].format(i) for i in range(ROWS)]


def column(cells: list[str | None]) -> Texts:
    words = tuple(dict.fromkeys(cell for cell in cells if cell is not None))
    number = {word: i for i, word in enumerate(words)}
    return Texts(words, np.array([-1 if c is None else number[c] for c in cells], dtype=np.int32))


LABELS = Texts(("good", "bad"), np.arange(ROWS, dtype=np.int32) % 2)


def settings(text: TextSettings | None = None, **options: object) -> DataSettings:
    return DataSettings(SourceSettings("d"), inputs="text", text=text or TextSettings(), **options)  # type: ignore[arg-type]


def prepared(
    notes: list[str | None] = NOTES,
    text: TextSettings | None = None,
    more: dict[str, Values] | None = None,
    **options: object,
) -> Prepared:
    columns: dict[str, Values] = {"note": column(notes), **(more or {}), "y": LABELS}
    return prepare(Table(columns, ROWS), settings(text, **options))


def said(data: Prepared) -> str:
    return "\n".join(data.notices)


def test_a_model_of_texts_reads_the_free_text_alone() -> None:
    ids = Texts(tuple(f"P{i}" for i in range(ROWS)), np.arange(ROWS, dtype=np.int32))
    tags = column([f"tag {i // 3}" for i in range(ROWS)])
    data = prepared(more={"id": ids, "age": Numbers(np.arange(ROWS) / 1.0), "tag": tags})
    assert [(c.name, c.role) for c in data.schema.columns] == [("note", "text")]
    assert "'note' is the text that is read (free text, 6 words on average)" in said(data)
    for name in ("id", "age", "tag"):
        assert f"column '{name}' is left out: the model reads 'note' alone" in said(data)
    told = prepared(more={"tag": tags}, columns=ColumnSettings(text=("tag",)))
    assert told.schema.columns[0].name == "tag"


def test_the_text_is_not_taken_for_the_target() -> None:
    table = Table({"y": LABELS, "note": column(NOTES)}, ROWS)
    assert prepare(table, settings()).schema.targets == ("y",)


@pytest.mark.parametrize(
    ("columns", "told", "message"),
    [
        (
            {"id": Texts(("a", "b"), np.arange(ROWS, dtype=np.int32) % 2)},
            (),
            "no column holds free text.*'id': 2",
        ),
        ({"n": Numbers(np.arange(ROWS) / 1.0)}, (), "no column holds free text.*'n': numbers"),
        (
            {"n": Numbers(np.arange(ROWS) / 1.0)},
            ("n",),
            "data.columns.text: column 'n' holds numbers, no text",
        ),
        ({"note": column(NOTES)}, ("not",), "data.columns.text: .* no column 'not'; did you mean 'note'"),
        (
            {"note": column([None, *[None] * (ROWS - 1)])},
            ("note",),
            "'note', which .*, has no text in any row",
        ),
        ({"note": column(["!" * i for i in range(1, ROWS + 1)])}, ("note",), None),
        ({"note": column(NOTES)}, ("y",), "'y' is named in both data.target and data.columns.text"),
    ],
)
def test_no_text_is_told_with_the_columns_there_are(
    columns: dict[str, Values], told: tuple[str, ...], message: str | None
) -> None:
    given = settings(columns=ColumnSettings(text=told), target="y")
    table = Table({**columns, "y": LABELS}, ROWS)
    if message is None:
        assert prepare(table, given).preprocessor.shape().text is not None
        return
    with pytest.raises(DataError, match=message) as caught:
        prepare(table, given)
    assert caught.value.remedy


def test_serving_encodes_as_training_did() -> None:
    data = prepared(
        [*NOTES[:-2], None, "..."], TextSettings(max_length=4, truncation="start", padding="start")
    )
    for part, rows in ((data.train, data.rows.train), (data.validation, data.rows.validation)):
        (tokens,) = data.preprocessor.encode(data.raw(rows))
        assert np.array_equal(tokens, part.inputs[0])
        assert part.lengths is not None
        assert np.array_equal(part.lengths, (tokens > 0).sum(1))


def test_the_vocabulary_is_of_training_rows_alone() -> None:
    notes = [f"{note} only{i} only{i}" for i, note in enumerate(NOTES)]
    data = prepared(list(notes), split=SplitSettings(0.3, 0.3))
    vocabulary = bytes(data.preprocessor.files()["tokenizer.json"])
    for part, there in (("train", True), ("validation", False), ("test", False)):
        for row in getattr(data.rows, part).tolist():
            assert (f'"only{row}"'.encode() in vocabulary) is there


def test_a_vocabulary_is_cut_by_frequency_and_words_of_one_use_are_unknown() -> None:
    data = prepared(text=TextSettings(vocabulary_size=3))
    shape = data.preprocessor.shape().text
    assert shape is not None
    assert shape.vocabulary == 5
    assert data.coverage is not None
    assert data.coverage["unknownShare"] > 0.3
    assert prepared(text=TextSettings(tokenizer="BPE", vocabulary_size=60)).coverage is not None


def test_clean_up_is_chosen_by_coverage_and_what_is_told_stays() -> None:
    odd = ["".join(c.upper() if i >> k & 1 else c for k, c in enumerate("numbers")) for i in range(ROWS)]
    shouted = [f"{note} {word}" for note, word in zip(NOTES, odd, strict=True)]
    data = prepared(list(shouted))
    assert data.coverage is not None
    chosen = data.coverage["normalise"]
    assert chosen["lower"]["chosen"]
    assert chosen["lower"]["knownWith"] > chosen["lower"]["knownWithout"]
    assert not chosen["contractions"]["chosen"]
    assert "texts are lower-cased" in said(data)
    assert not prepared(list(shouted), TextSettings(lower=False)).coverage["normalise"]["lower"]["chosen"]  # type: ignore[index]
    plain = prepared()
    assert not any(step["chosen"] for step in plain.coverage["normalise"].values())  # type: ignore[union-attr]


def with_vectors(folder: Path, lines: dict[str, str], **options: object) -> TextSettings:
    path = folder / "v.txt"
    path.write_text("".join(f"{word} {numbers}\n" for word, numbers in lines.items()))
    return TextSettings(vectors=VectorSettings(SourceSettings(str(path))), **options)  # type: ignore[arg-type]


def test_vectors_decide_the_clean_up_and_start_the_embedding(tmp_path: Path) -> None:
    words = {"fine": "1 0", "sunny": "0 1", "day": "1 1", "rain": "2 2", "nobody": "7 7", "not": "3 3"}
    notes = [f"{str(note).title()} Isn't it? £" for note in NOTES]
    data = prepared(list(notes), with_vectors(tmp_path, words))
    assert data.coverage is not None
    assert data.vectors is not None
    chosen = data.coverage["normalise"]
    assert [name for name, step in chosen.items() if step["chosen"]] == [
        *("lower", "contractions", "drop_unknown_symbols")
    ]
    shape = data.preprocessor.shape().text
    assert shape is not None
    assert data.vectors.shape == (shape.vocabulary, 2)
    assert not data.vectors_trainable
    tokens = data.preprocessor.encode({"note": ["sunny", "£", "Isn't"]})[0]
    assert data.vectors[tokens[0, 0]].tolist() == [0.0, 1.0]
    assert tokens[1].tolist() == [1, 0]
    assert data.vectors[tokens[2, 1]].tolist() == [3.0, 3.0]
    found = data.coverage["vectors"]
    assert (found["types"], found["tokens"]) == (pytest.approx(5 / 12), pytest.approx(3 / 8))
    assert "vectors are known of" in said(data)


def test_vectors_of_another_language_or_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none of the .* words of the vocabulary has a vector"):
        prepared(text=with_vectors(tmp_path, {"soleil": "1 2"}))
    with pytest.raises(DataError, match="vectors of 2 numbers, but the model's embeddingSize is 50"):
        prepared(text=with_vectors(tmp_path, {"fine": "1 2"}, width=50))
    absent = VectorSettings(SourceSettings(str(tmp_path / "none.txt")))
    with pytest.raises(DataError, match=r"none\.txt does not exist") as caught:
        prepared(text=TextSettings(vectors=absent))
    assert "data.text.vectors.uri" in caught.value.remedy
    pinned = VectorSettings(SourceSettings(str(tmp_path / "v.txt"), sha256="0" * 64))
    with pytest.raises(DataError, match="is not what was pinned"):
        prepared(text=TextSettings(vectors=pinned))


def test_a_vocabulary_larger_than_memory_is_refused_with_both_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "limit_bytes", lambda: 1 << 20)
    with pytest.raises(
        DataError, match=r"a vocabulary of \d+ tokens with 4,?096 .* needs about 1\.\d MiB.*has 1\.0 MiB"
    ):
        prepared([*(f"{note} {i % 6}" for i, note in enumerate(NOTES))], TextSettings(width=4096))


def test_texts_need_more_memory_than_numbers(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("note,y\n" + "some words,a\n" * 100)
    source = SourceSettings(str(tmp_path / "d.csv"))
    need = {
        inputs: open_sources(DataSettings(source, inputs=inputs), tmp_path)[0].need
        for inputs in ("table", "text")
    }
    assert need["text"] == 2 * need["table"] > 1_000


def test_equal_texts_stay_together_and_are_counted() -> None:
    notes = [NOTES[i % 80] if i % 3 else f"  {NOTES[i % 80]}\n\n " for i in range(ROWS)]
    data = prepared(list(notes))
    parts = np.zeros(ROWS, dtype=int)
    parts[data.rows.validation], parts[data.rows.test] = 1, 2
    assert (parts[:40] == parts[80:]).all()
    assert "40 rows repeat the text of another row" in said(data)
    assert "different labels" not in said(data)
    torn = prepared([NOTES[i // 2] for i in range(ROWS)])
    assert "60 texts occur with different labels" in said(torn)


def test_equal_texts_on_both_sides_of_another_split_are_pointed_out() -> None:
    notes = [str(NOTES[i % 100]).replace(" ", "  " if i > 99 else " ") for i in range(ROWS)]
    notice, *_ = prepared(list(notes), split=SplitSettings(0.1, 0.1, by="Order")).leakage
    assert "20 of 24 validation and test rows have the same features as a training row" in notice


def test_words_that_are_the_label_are_pointed_out() -> None:
    (notice,) = prepared([f"label{i % 2} {note}" for i, note in enumerate(NOTES)]).leakage[:1]
    assert "single words ('label1', 'label0')" in notice or "single words ('" in notice
    assert "data.text.stopWords" in notice
    mixed = [f"{'fine' if i % 5 else 'rain'} weather number {i}" for i in range(ROWS)]
    assert prepared(list(mixed)).leakage == ()
    table, _ = samples.parse("sample://notes?rows=600").make()
    assert prepare(table, settings()).leakage == ()


def test_what_people_are_told() -> None:
    data = prepared([None, " ", *(f"{note} and so on" for note in NOTES[2:])], TextSettings(max_length=5))
    assert "2 rows have no text and are read as one unknown word" in said(data)
    assert "98% of the texts are longer than data.text.maxLength 5 and cut" in said(data)
    assert "of the tokens of validation and test texts are unknown to training" in said(data)
    assert data.coverage is not None
    assert data.coverage["rows"] == len(data.rows.train) == sum(data.coverage["lengths"]["counts"])


def test_a_class_with_one_example_trains_and_is_said_to_be_unjudged() -> None:
    rare = Texts(("good", "bad", "odd"), np.where(np.arange(ROWS) == 7, 2, LABELS.codes).astype(np.int32))
    data = prepare(Table({"note": column(NOTES), "y": rare}, ROWS), settings())
    assert 7 in data.rows.train
    assert "no test row has the label 'odd' (1 training rows)" in said(data)
    assert "has the label" not in said(prepared())


def test_each_fold_has_a_vocabulary_of_its_own() -> None:
    notes = [f"{note} only{i} only{i}" for i, note in enumerate(NOTES)]
    table = Table({"note": column(list(notes)), "y": LABELS}, ROWS)
    known = understand(table, settings(split=SplitSettings(0.1, 0.1, folds=3)))
    divided(known)
    for fold in folds(known):
        content = fold.data.preprocessor.files()["tokenizer.json"]
        assert not any(f'"only{row}"'.encode() in content for row in fold.data.rows.test.tolist())


def test_a_regression_of_texts_and_content_that_decides() -> None:
    table = Table({"note": column(NOTES), "stars": Numbers(np.arange(ROWS) % 37 + 0.5)}, ROWS)
    data = prepare(table, DataSettings(SourceSettings("d"), inputs=None))
    assert (data.schema.task, data.preprocessor.kind) == ("Regression", "text")
    more = Table({"age": Numbers(np.arange(ROWS) / 1.0), **table.columns}, ROWS)
    assert prepare(more, DataSettings(SourceSettings("d"), inputs=None)).preprocessor.kind == "table"
