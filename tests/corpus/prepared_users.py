"""A corpus to push and to take as a source, and recipes that must not open the codec for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from corpus_fakes import FakeFamily, FakeRecipe, Shouting, prepared, recipe, speech, utterances

from kathrine.corpus.prepared import PreparedCorpus
from kathrine_prepared import Prepared, PreparedOptions


def source_corpus(folder: Path) -> PreparedCorpus:
    """Two entries; the first has speakers of its own, the second takes its voice from a file."""
    given = [replace(each, facts={"licence": "CC0-1.0", "speaker_name": "Ola"}) for each in utterances(folder, 24)]
    given[3] = replace(given[3], cut=True)
    made = recipe(given[:16], given[16:], language=Shouting())
    voice = folder / "voice.wav"
    soundfile.write(voice, speech(3.0, 77), 8000)
    table = made.data[1].table.model_copy(update={"reference": "file", "reference_file": str(voice)})
    made.data[1].table = table
    return prepared(folder / "ws", made)


def using(root: str, family: FakeFamily | None = None, **options: Any) -> FakeRecipe:
    """A recipe that takes a prepared corpus as its source; its model must not open anything but the tokenizer."""
    family = family or FakeFamily()

    def refuse(*args: object, **more: object) -> None:
        raise AssertionError("the codec or the speaker encoder was opened")

    family.open_codec = family.open_speaker_encoder = refuse  # type: ignore[method-assign]
    made = recipe([], family=family, language=Shouting(), **{"validation_share": 0.0, **options.pop("data", {})})
    made.data[0].source = Prepared(PreparedOptions(root=root, **options))  # type: ignore[assignment]
    return made


def use(workspace: Path, root: str, offline: bool = False) -> tuple[PreparedCorpus, dict[str, int]]:
    made = using(root)
    made.run = made.run.model_copy(update={"offline": offline})
    return prepared(workspace, made), made.model.calls


def same(found: PreparedCorpus, corpus: PreparedCorpus) -> None:
    """Every utterance of the first entry is there with equal codes, embedding and text."""
    own = [row for row in corpus.rows if not row.hidden]
    assert [row.id for row in found.rows] == [row.key for row in own]
    for row, other in zip(found.rows, own, strict=True):
        one, two = found.example(row.key), corpus.example(other.key)
        np.testing.assert_array_equal(one.codes_FQ, two.codes_FQ)
        np.testing.assert_array_equal(one.speaker_embedding_H, two.speaker_embedding_H)
        assert (one.spoken, one.text_ids, one.cut) == (two.spoken, two.text_ids, two.cut)
        assert (row.seconds, row.split, row.language) == (other.seconds, other.split, other.language)
