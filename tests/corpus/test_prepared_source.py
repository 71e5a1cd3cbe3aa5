"""The source `prepared`: a folder of a prepared corpus, used without its recordings and without the codec."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from corpus_fakes import FakeFamily, prepared
from prepared_users import same, source_corpus, using

from kathrine.corpus.mixture import Draw, training_keys
from kathrine.corpus.prepared import PreparedCorpus
from kathrine.corpus.prompting import Prompter
from kathrine.errors import KathrineError
from kathrine.progress import SilentProgress
from kathrine.recipe.tables import PromptTable


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> PreparedCorpus:
    return source_corpus(tmp_path_factory.mktemp("source"))


def test_a_folder_is_a_source_and_references_are_drawn(corpus: PreparedCorpus, tmp_path: Path) -> None:
    progress = SilentProgress()
    found = prepared(tmp_path, using(str(corpus.folder)), progress)
    same(found, corpus)
    assert "prepared: a, b: 0.01 h, encoded already" in progress.said
    assert {row.speaker for row in found.rows} == {f"{entry}/s{n}" for entry in "ab" for n in range(3)}
    one = prepared(tmp_path, using(str(corpus.folder), entries=["a"]))
    assert len(one.rows) == 16 and {row.speaker for row in one.rows} == {"s0", "s1", "s2"}
    # Training can be planned: the voice of each draw is another utterance's.
    prompter = Prompter(one.rows, PromptTable(in_context=1.0), {}, 1)
    keys = training_keys(one.rows)["a"]
    assert len(keys) == sum(row.split == "train" for row in one.rows) > 10
    for key in keys:
        made = prompter.prompted(one, Draw(key, 0, 0))
        assert made.reference is not None and made.reference.key != key
        np.testing.assert_array_equal(made.speaker_embedding_H, made.reference.speaker_embedding_H)


def test_limits_and_gates_hold_for_it(corpus: PreparedCorpus, tmp_path: Path) -> None:
    found = prepared(tmp_path, using(str(corpus.folder), data={"max_hours": 6 / 3600}))
    assert 4 < sum(row.seconds for row in found.rows) <= 6
    named = prepared(tmp_path, using(str(corpus.folder), data={"speakers": ["b/s1"]}))
    assert {row.speaker for row in named.rows} == {"b/s1"}


def test_another_model_is_refused_with_a_sentence(corpus: PreparedCorpus, tmp_path: Path) -> None:
    with pytest.raises(KathrineError, match="data entry a: its codes were made by another codec"):
        prepared(tmp_path, using(str(corpus.folder), FakeFamily(codec="codec-2")))
    with pytest.raises(KathrineError, match="data entry a: its speaker embeddings were made by another encoder"):
        prepared(tmp_path, using(str(corpus.folder), FakeFamily(speaker="speaker-2")))
    without = prepared(tmp_path, using(str(corpus.folder), FakeFamily(speaker="")))
    assert len(without.rows) == 24 and without.example(without.rows[0].key).speaker_embedding_H is None


def test_what_is_no_prepared_corpus_is_named(corpus: PreparedCorpus, tmp_path: Path) -> None:
    with pytest.raises(KathrineError, match="is no complete prepared corpus"):
        prepared(tmp_path / "ws", using(str(tmp_path)))
    with pytest.raises(KathrineError, match="has no data entry c") as problem:
        prepared(tmp_path / "ws", using(str(corpus.folder), entries=["c"]))
    assert problem.value.hint == "it has a, b"
    half = tmp_path / "half"
    half.mkdir()
    for path in corpus.folder.iterdir():
        if not path.name.startswith("index"):
            (half / path.name.replace("of-00001", "of-00002")).write_bytes(path.read_bytes())
    with pytest.raises(KathrineError, match=r"lacks (train|validation|reference)-00001-of-00002\.parquet"):
        prepared(tmp_path / "ws", using(str(half)))
