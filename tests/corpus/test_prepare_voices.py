"""Prepare: splits, references and codes that came along."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import soundfile
from corpus_fakes import FRAME, RATE, SIZE, FakeFamily, Shouting, prepared, recipe, rejected, speech, utterances

from kathrine.errors import KathrineError
from kathrine.progress import SilentProgress


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audio")
    utterances(folder, 40)
    return folder


def test_splits_of_the_source_are_kept(audio: Path, tmp_path: Path) -> None:
    splits = ["train", "train", "train", "validation", "test", None]
    given = [replace(each, split=splits[n // 3 % 6]) for n, each in enumerate(utterances(audio, 36))]  # type: ignore[arg-type]
    corpus = prepared(tmp_path, recipe(given))
    assert [row.split for row in corpus.rows] == [each.split or "train" for each in given]


def test_reference_file_is_a_hidden_example(audio: Path, tmp_path: Path) -> None:
    voice = tmp_path / "voice.flac"
    soundfile.write(voice, speech(3.0, 77), 8000)
    given = [*utterances(audio, 6), replace(utterances(audio, 7)[6], speaker="lonely")]
    corpus = prepared(tmp_path, recipe(given, reference="file", reference_file=str(voice)))
    assert {row.reference for row in corpus.rows[:-1]} == {"__reference__"} and len(corpus.rows) == 8
    hidden = corpus.rows[-1]
    assert (hidden.id, hidden.split, hidden.hidden) == ("__reference__", "test", True)
    example = corpus.example(hidden.key)
    assert example.speaker_embedding_H is not None and example.frames and example.text_ids == {"text": ()}
    assert corpus.facts["entries"]["a"]["kept"] == 7
    with pytest.raises(KathrineError, match=r"absent\.wav can not be used"):
        prepared(tmp_path, recipe(given, reference="file", reference_file=str(tmp_path / "absent.wav")))


def test_reference_file_that_is_an_utterance_lends_nothing_to_itself(audio: Path, tmp_path: Path) -> None:
    given = utterances(audio, 6)
    made = recipe(given, reference="file", reference_file=str(given[3].audio), validation_share=0.0)
    corpus = prepared(tmp_path, made)
    # As an utterance it brings its text along, so nothing hidden is needed.
    assert {row.id: row.reference for row in corpus.rows if row.id != "u003"} == dict.fromkeys(
        ("u000", "u001", "u002", "u004", "u005"), "u003"
    )
    assert corpus.row("a/u003").reference is None and len(corpus.rows) == 6


def test_fixed_references_and_lonely_speakers(audio: Path, tmp_path: Path) -> None:
    given = [*utterances(audio, 9), replace(utterances(audio, 10)[9], speaker="lonely")]
    corpus = prepared(tmp_path, recipe(given, reference="fixed"))
    assert rejected(corpus) == {"no reference": 1}
    speakers = {row.id: row.speaker for row in corpus.rows}
    assert all(row.reference != row.id and speakers[row.reference or ""] == row.speaker for row in corpus.rows)
    kept = prepared(tmp_path, recipe(given, table={"single_utterance_speakers": "own"}))
    assert [row.reference for row in kept.rows] == [None] * 9 + ["u009"]


def test_references_that_the_source_fixed(audio: Path, tmp_path: Path) -> None:
    given = utterances(audio, 10)
    voice, copy = tmp_path / "voice.wav", tmp_path / "copy.wav"
    soundfile.write(voice, speech(3.0, 77), 8000)
    copy.write_bytes(given[3].audio.read_bytes())  # type: ignore[union-attr]
    rows = [
        replace(given[0], reference=voice),
        replace(given[1], reference=given[1].audio),
        replace(given[2], reference=copy),
        replace(given[3], reference=copy),
        replace(given[4], reference=tmp_path / "absent.wav"),
        replace(given[5], id="x", speaker="lonely", reference=voice),
        replace(given[7], id="y"),
        replace(given[9], id="z"),
    ]
    progress = SilentProgress()
    corpus = prepared(tmp_path / "ws", recipe(rows, validation_share=0.0), progress)
    found = {row.id: row.reference for row in corpus.rows}
    hidden = corpus.rows[-1].id
    assert hidden.startswith("__reference__.") and corpus.rows[-1].hidden
    assert found == {
        "u000": hidden,
        "u001": None,
        "u002": "u003",
        "u003": None,
        "x": hidden,
        "y": None,
        "z": None,
        hidden: None,
    }
    assert rejected(corpus) == {"bad reference": 1}
    assert "a: 2 rows name their own recording as reference: another one is taken" in progress.said


def test_a_family_without_a_speaker_encoder(audio: Path, tmp_path: Path) -> None:
    given = [*utterances(audio, 3), replace(utterances(audio, 4)[3], speaker="lonely")]
    corpus = prepared(tmp_path, recipe(given, family=FakeFamily(speaker="")))
    assert len(corpus.rows) == 4 and corpus.example("a/u003").speaker_embedding_H is None


# --------------------------------------------------------------------------- codes that came along


def test_codes_of_the_manifest_are_imported(audio: Path, tmp_path: Path) -> None:
    given, family = utterances(audio, 6, speakers=1), FakeFamily()
    frames = tuple((n % SIZE, 1, 2, 3) for n in range(12))
    flat = (tuple(code for frame in frames for code in frame),)
    rows = [
        *given[:4],
        replace(given[4], id="framed", codes=frames),
        replace(given[5], id="flat", codes=flat),
        replace(given[2], id="large", codes=((SIZE, 0, 0, 0),) * 12),
        replace(given[2], id="narrow", codes=((0, 0, 0),) * 12),
        replace(given[2], id="voiceless", audio=None, codes=frames, cut=True),
    ]
    progress = SilentProgress()
    corpus = prepared(tmp_path, recipe(rows, family=family), progress)
    for name in ("framed", "flat"):
        assert corpus.example(f"a/{name}").codes_FQ.tolist() == [list(frame) for frame in frames]
        assert corpus.row(f"a/{name}").seconds == pytest.approx(12 * FRAME / RATE)
        assert corpus.example(f"a/{name}").speaker_embedding_H is not None
    assert rejected(corpus) == {"no audio": 1, "bad codes": 2}
    assert family.calls["encode"] == 4
    assert "a: 1 rows held their codes as one flat list: cut into frames of 4" in progress.said
    voice = tmp_path / "voice.wav"
    soundfile.write(voice, speech(3.0, 77), 8000)
    alone = prepared(tmp_path, recipe(rows, language=Shouting(), reference="file", reference_file=str(voice)))
    assert [row.id for row in alone.rows if row.cut] == ["voiceless"]
    assert not alone.example("a/voiceless").spoken["text"].endswith(".")
    assert alone.example("a/framed").spoken["text"].endswith(".")
    assert alone.example("a/voiceless").speaker_embedding_H is None
    assert alone.row("a/voiceless").reference == "__reference__"
