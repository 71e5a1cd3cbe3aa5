"""Prepare as a whole, on made-up recordings and a model family that costs nothing."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from corpus_fakes import (
    BOOKS,
    FRAME,
    RATE,
    SIZE,
    FakeFamily,
    Shouting,
    prepared,
    recipe,
    rejected,
    speech,
    utterances,
)

from kathrine.corpus.prepared import PreparedCorpus, known_facts
from kathrine.errors import KathrineError
from kathrine.progress import SilentProgress
from kathrine.recipe.tables import RunTable
from kathrine.types import Utterance
from kathrine.workspace import Workspace


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audio")
    utterances(folder, 40)
    return folder


def test_a_corpus_holds_each_utterance_once_in_order(audio: Path, tmp_path: Path) -> None:
    given, family = utterances(audio, 30), FakeFamily()
    corpus = prepared(tmp_path, recipe(given[:20], given[20:], family=family))
    assert [row.key for row in corpus.rows] == [f"{'a' if n < 20 else 'b'}/u{n:03d}" for n in range(30)]
    assert corpus.entries == ("a", "b")
    assert family.calls["encode"] == family.calls["speaker"] == family.calls["tokenise"] == 30
    for row, utterance in zip(corpus.rows, given, strict=True):
        example = corpus.example(row.key)
        assert example.key == row.key and example.frames == row.frames == -(-round(row.seconds * RATE) // FRAME)
        assert example.codes_FQ.shape == (row.frames, BOOKS) and example.codes_FQ.dtype == np.int16
        assert example.codes_FQ.min() >= 0 and 0 < example.codes_FQ.max() < SIZE
        assert example.speaker_embedding_H is not None and example.speaker_embedding_H.dtype == np.float32
        assert example.spoken == {"text": utterance.text}
        assert example.text_ids == {"text": tuple(map(ord, utterance.text))}
        assert row.text_tokens == {"text": len(utterance.text)}
        assert (row.speaker, row.language) == (utterance.speaker, "norwegian") and row.reference is None
        assert row.original_rate == 8000 and not row.cut
    assert Counter(row.split for row in corpus.rows)["validation"] >= 2


def test_an_example_is_the_same_whoever_is_in_its_batch(audio: Path, tmp_path: Path) -> None:
    given = utterances(audio, 12)
    together = prepared(tmp_path / "together", recipe(given))
    alone = prepared(tmp_path / "alone", recipe(given, table={"batch_seconds": 0.1}))
    for row in together.rows:
        np.testing.assert_array_equal(together.example(row.key).codes_FQ, alone.example(row.key).codes_FQ)
    assert together.fingerprint == alone.fingerprint


def test_batches_are_bounded_by_count_and_by_seconds(audio: Path, tmp_path: Path) -> None:
    family = FakeFamily()
    prepared(tmp_path, recipe(utterances(audio, 40), family=family, table={"batch_seconds": 3.0}))
    assert family.largest <= 3.0 * RATE + 3 * FRAME
    assert 40 / 4 <= family.calls["batches"] < 40


def test_twice_is_harmless_and_computes_nothing(audio: Path, tmp_path: Path) -> None:
    first = prepared(tmp_path, recipe(utterances(audio, 20)))
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "corpus").rglob("*.parquet")}
    family, language = FakeFamily(), None
    again = prepared(tmp_path, recipe(utterances(audio, 20), family=family, language=language))
    assert again.folder == first.folder and again.rows == first.rows
    assert family.calls == {"fetch": 1}
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "corpus").rglob("*.parquet")} == files


def test_every_source_fetches_before_anything_is_listened_to(audio: Path, tmp_path: Path) -> None:
    made = recipe(utterances(audio, 6), utterances(audio, 6))

    def refuse(context: object) -> None:
        raise KathrineError("2 mistakes in the manifest")

    made.data[1].source.prepare = refuse  # type: ignore[method-assign]
    progress = SilentProgress()
    with pytest.raises(KathrineError, match="2 mistakes"):
        prepared(tmp_path, made, progress)
    assert not progress.tasks


def test_offline_is_told_to_the_model(audio: Path, tmp_path: Path) -> None:
    made = recipe(utterances(audio, 6))
    prepared(tmp_path, made)
    assert made.model.calls["offline"] == 0
    made.run = RunTable(offline=True)
    prepared(tmp_path, made)
    assert made.model.calls["offline"] == 1


def test_what_was_encoded_before_an_error_is_kept(audio: Path, tmp_path: Path) -> None:
    given = utterances(audio, 20)

    class Failing(FakeFamily):
        def open_codec(self, *args: object, **more: object) -> object:  # type: ignore[override]
            codec = super().open_codec(*args, **more)  # type: ignore[arg-type]
            encode = codec.encode

            def fail(waves: list[np.ndarray]) -> list[np.ndarray]:
                if self.calls["batches"] == 3:
                    raise KeyboardInterrupt
                return encode(waves)

            codec.encode = fail
            return codec

    with pytest.raises(KeyboardInterrupt):
        prepared(tmp_path, recipe(given, family=Failing()))
    family = FakeFamily()
    assert len(prepared(tmp_path, recipe(given, family=family)).rows) == 20
    assert family.calls["encode"] == family.calls["speaker"] == 20 - 3 * 4


def test_another_recipe_overwrites_nothing(audio: Path, tmp_path: Path) -> None:
    given = utterances(audio, 20)
    first = prepared(tmp_path, recipe(given))
    family = FakeFamily()
    second = prepared(tmp_path, recipe(given[:10], family=family))
    assert first.folder != second.folder and len(second.rows) == 10 and not family.calls["encode"]
    reopened = PreparedCorpus.open(first.folder)
    assert reopened.rows == first.rows and reopened.example("a/u019").frames


def test_check_knows_the_sizes_afterwards(audio: Path, tmp_path: Path) -> None:
    given, workspace = utterances(audio, 20), Workspace(tmp_path)
    assert known_facts(recipe(given), workspace) is None  # type: ignore[arg-type]
    corpus = prepared(tmp_path, recipe(given))
    assert known_facts(recipe(given), workspace) == corpus.facts  # type: ignore[arg-type]
    assert known_facts(recipe(given, table={"batch": 9}, share=2.0), workspace) == corpus.facts  # type: ignore[arg-type]
    assert known_facts(recipe(given, max_hours=0.1), workspace) is None  # type: ignore[arg-type]


def test_what_is_wrong_with_recordings_is_counted_and_the_run_goes_on(audio: Path, tmp_path: Path) -> None:
    given = utterances(audio, 20)
    noise, half, silent, loud = (tmp_path / name for name in ("noise.mp3", "half.wav", "silent.wav", "loud.wav"))
    noise.write_bytes(np.random.default_rng(0).bytes(3000))
    half.write_bytes(given[0].audio.read_bytes()[:4000])  # type: ignore[union-attr]
    soundfile.write(silent, np.zeros(8000), 8000)
    soundfile.write(loud, np.clip(speech(1.0, 3) * 20, -1, 1), 8000)

    def bad(name: str, audio: Path | None, text: str = "dette er feil", **more: object) -> Utterance:
        return Utterance(name, audio, {"text": text}, "s0", **more)  # type: ignore[arg-type]

    good, unused = given[0].audio, utterances(audio, 22)
    broken = [
        bad("noise", noise),
        bad("half", half),
        bad("silent", silent),
        bad("loud", loud),
        bad("absent", tmp_path / "absent.wav"),
        bad("none", None),
        bad("short", good, start=0.3, end=0.4),
        bad("differs", good, seconds=9.0),
        bad("slow", unused[20].audio, text="a b"),
        bad("fast", unused[21].audio, text="mange ord " * 20),
        bad("inaudible", good, text="hei <inaudible> der"),
        bad("tagged", good, text="<ee>"),
        bad("few", good, text="hei"),
        bad("twice", given[19].audio),
        bad("other", good),
    ]
    broken[-1] = replace(broken[-1], speaker="unwanted")
    progress = SilentProgress()
    made = recipe(
        [*given, *broken],
        table={"min_words": 2, "min_letters_per_second": 5.0, "max_silence_share": 0.95},
        speakers=["S0", "s1", "S2"],
    )
    corpus = prepared(tmp_path / "ws", made, progress)
    assert len(corpus.rows) == 20
    assert rejected(corpus) == {
        "other speaker": 1,
        "inaudible": 1,
        "no text": 1,
        "few words": 1,
        "missing file": 1,
        "corrupt": 2,
        "length differs": 1,
        "duplicate": 1,
        "no audio": 1,
        "too short": 1,
        "silence": 1,
        "clipping": 1,
        "too slow": 1,
        "too fast": 1,
    }
    verdicts = [json.loads(line) for line in (corpus.folder / "manifest.jsonl").read_text().splitlines()]
    assert len(verdicts) == 35
    told = {row["id"]: row for row in verdicts}
    assert told["noise"]["reason"] == "corrupt" and "noise.mp3" in told["noise"]["detail"]
    assert told["u003"]["kept"] and told["u003"]["original_rate"] == 8000
    assert "kept 20 of 35" in progress.said[-1] and "corrupt 2" in progress.said[-1]
    missing, corrupt, differs = progress.warned
    assert missing.startswith("a: missing file: absent: ") and missing.endswith("absent.wav")
    assert corrupt.startswith("a: corrupt: noise: noise.mp3: ") and corrupt.endswith("(and 1 more)")
    assert differs.startswith("a: length differs: differs: ")


def test_limits_of_an_entry_count_accepted_audio(audio: Path, tmp_path: Path) -> None:
    given = utterances(audio, 40)
    family = FakeFamily()
    corpus = prepared(tmp_path, recipe(given, max_hours=10 / 3600, family=family))
    seconds = sum(row.seconds for row in corpus.rows)
    assert 10 - 2 < seconds <= 10
    assert family.calls["encode"] == len(corpus.rows) == 40 - rejected(corpus)["max_hours"]
    capped = prepared(tmp_path, recipe(given, speaker_cap_minutes=4 / 60))
    spoken: Counter[str] = Counter()
    for row in capped.rows:
        spoken[row.speaker] += row.seconds  # type: ignore[assignment]
    assert all(2.5 < each <= 4 for each in spoken.values())


def test_held_out_rows_at_the_end_are_not_crowded_out_by_max_hours(audio: Path, tmp_path: Path) -> None:
    given = [replace(each, split="train" if n < 30 else "validation") for n, each in enumerate(utterances(audio, 40))]
    corpus = prepared(tmp_path, recipe(given, max_hours=16 / 3600))
    seconds = {split: facts["seconds"] for split, facts in corpus.facts["entries"]["a"]["splits"].items()}
    assert 2 < seconds["validation"] <= 4 and 10 < seconds["train"] <= 16 - seconds["validation"]
    longest = max(row.seconds for row in corpus.rows if row.split == "train")
    assert corpus.facts["entries"]["a"]["splits"]["train"]["longest_seconds"] == pytest.approx(longest, abs=1e-3)


def test_nothing_left_is_an_error_that_says_why(audio: Path, tmp_path: Path) -> None:
    with pytest.raises(KathrineError, match=r"none is left to train on .*too short: 5"):
        prepared(tmp_path, recipe(utterances(audio, 5), table={"min_seconds": 9.0}))
    with pytest.raises(KathrineError, match="gave no utterances"):
        prepared(tmp_path, recipe([]))


def test_language_and_variants(audio: Path, tmp_path: Path) -> None:
    given = utterances(audio, 12)
    given = [
        replace(each, texts={**each.texts, "digits": f"nr {n}"}) if n != 5 else each for n, each in enumerate(given)
    ]
    given[7] = replace(given[7], texts={"text": "refuse me"})
    given[8] = replace(given[8], texts={**given[8].texts, "digits": "refuse me"})
    progress = SilentProgress()
    made = recipe(given, language=Shouting(), variants={"text": 0.7, "digits": 0.3})
    corpus = prepared(tmp_path, made, progress)
    assert corpus.example("a/u003").spoken == {"text": "DETTE ER SETNING 3.", "digits": "NR 3."}
    assert corpus.row("a/u003").text_tokens == {"text": 19, "digits": 5}
    assert set(corpus.row("a/u005").text_tokens) == set(corpus.row("a/u008").text_tokens) == {"text"}
    assert rejected(corpus) == {"text refused": 1}
    assert "a: 2 of 11 utterances have no usable 'digits'" in progress.said
    with pytest.raises(KathrineError, match="no text variant 'digit'"):
        prepared(tmp_path, recipe(given, variants={"text": 0.7, "digit": 0.3}))


def test_cut_utterances_are_measured_and_get_no_added_stop(audio: Path, tmp_path: Path) -> None:
    given = utterances(audio, 6)
    path = tmp_path / "long.wav"
    soundfile.write(path, speech(4.0, 2), 8000)
    cut = [replace(given[0], id=f"cut{n}", audio=path, start=0.0 + n, end=1.5 + n) for n in range(2)]
    marked = replace(utterances(audio, 7)[6], id="marked", cut=True)
    corpus = prepared(tmp_path / "ws", recipe([*given, *cut, marked], language=Shouting()))
    assert [row.id for row in corpus.rows if row.cut] == ["cut0", "cut1", "marked"]
    assert corpus.example("a/cut0").spoken == {"text": "DETTE ER SETNING 0"}
    assert corpus.example("a/u000").spoken == {"text": "DETTE ER SETNING 0."}
    assert corpus.facts["entries"]["a"]["cut_share"] == pytest.approx(3 / 9, abs=1e-4)


# --------------------------------------------------------------------------- reading


class Faulty:
    """A plugin's source with a bug in one of its methods."""

    name = "faulty"

    def __init__(self, where: str, given: list[Utterance]) -> None:
        self.where, self.given = where, given

    def prepare(self, context: object) -> None:
        if self.where == "prepare":
            raise KeyError("speaker")

    def utterances(self, context: object):
        if self.where == "utterances":
            raise TypeError("no table")
        yield from self.given
        raise ZeroDivisionError("at the third row")


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("prepare", r"source faulty failed while fetching: KeyError: 'speaker' \(test_prepare.py:\d+\)"),
        ("utterances", "failed while listing its utterances: TypeError: no table"),
        ("a row", "failed while listing its utterances: ZeroDivisionError: at the third row"),
    ],
)
def test_a_fault_inside_a_source_is_a_sentence_that_names_it(audio: Path, tmp_path: Path, where, said) -> None:
    made = recipe(utterances(audio, 6))
    entry = replace(made.data[0], source=Faulty(where, utterances(audio, 2)))
    with pytest.raises(KathrineError, match=said) as error:
        prepared(tmp_path, replace(made, data=(entry,)))
    assert "data entry a: " in error.value.message and "KATHRINE_TRACEBACK=1" in error.value.hint
    assert error.value.__cause__ is not None


def test_what_can_not_be_opened_is_named(audio: Path, tmp_path: Path) -> None:
    with pytest.raises(KathrineError, match="no complete prepared corpus"):
        PreparedCorpus.open(tmp_path)
    corpus = prepared(tmp_path, recipe(utterances(audio, 6)))
    with pytest.raises(KathrineError, match="no utterance 'a/none'"):
        corpus.example("a/none")
    marker = corpus.folder / "complete.json"
    marker.write_text(marker.read_text().replace('"format": 2', '"format": 0'))
    with pytest.raises(KathrineError, match="another kathrine"):
        PreparedCorpus.open(corpus.folder)
