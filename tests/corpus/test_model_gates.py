"""Optional gates with models of their own: DNSMOS, and a recogniser's transcript against the text."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from corpus_fakes import Shouting, prepared, recipe, rejected, utterances
from hypothesis import given, settings
from hypothesis import strategies as st

from kathrine.components import SpokenText
from kathrine.corpus import dnsmos, recognise
from kathrine.corpus.dnsmos import open_dnsmos, windows
from kathrine.corpus.merging import merge
from kathrine.corpus.model_gates import judge
from kathrine.corpus.recognise import Recogniser
from kathrine.corpus.shards import prepare_shard
from kathrine.corpus.transcripts import edit_distance, error_rate, plain_letters
from kathrine.datafiles import bundled_sample
from kathrine.errors import KathrineError, RecipeError
from kathrine.progress import SilentProgress
from kathrine.recipe import load_recipe
from kathrine.types import Part
from kathrine.workspace import Workspace

# --------------------------------------------------------------------------- letters


def test_letters_are_compared_without_case_signs_and_spaces_and_keep_their_rings() -> None:
    assert plain_letters("Blåbær-øl, 12 «ÅRET»!") == "blåbærølåret"
    assert plain_letters("a\u030a være") == "åvære"
    assert error_rate(plain_letters("Hei, på deg."), plain_letters("hei på deg")) == 0
    assert error_rate("håpet", "hapet") == pytest.approx(1 / 5)
    assert error_rate("bær", "bar") == pytest.approx(1 / 3)
    assert error_rate("abcd", "") == 1.0 and error_rate("", "x") == 1.0 and error_rate("", "") == 0.0
    assert error_rate("ab", "abcdef") == 2.0


def test_edit_distance_of_known_pairs() -> None:
    for one, other, distance in (("kitten", "sitting", 3), ("", "abc", 3), ("flaw", "lawn", 2), ("abc", "abc", 0)):
        assert edit_distance(one, other) == edit_distance(other, one) == distance


@settings(max_examples=60, deadline=None)
@given(one=st.text("abø", max_size=12), other=st.text("abø", max_size=12), third=st.text("abø", max_size=12))
def test_edit_distance_is_a_distance(one: str, other: str, third: str) -> None:
    assert edit_distance(one, other) <= edit_distance(one, third) + edit_distance(third, other)
    assert abs(len(one) - len(other)) <= edit_distance(one, other) <= max(len(one), len(other))


# --------------------------------------------------------------------------- DNSMOS


def spoken() -> np.ndarray:
    """Bundled speech at 16 kHz."""
    import soxr

    wave, rate = soundfile.read(bundled_sample("nb-librivox") / "data" / "bok1_0000.mp3", dtype="float32")
    return soxr.resample(wave, rate, 16000)


def test_noisier_speech_scores_lower() -> None:
    score, clean, random = open_dnsmos(), spoken(), np.random.default_rng(0)
    level = float(np.sqrt(np.mean(clean**2)))
    scores = [score(clean)]
    for snr in (20, 5):
        scores.append(score(clean + random.normal(0, level * 10 ** (-snr / 20), len(clean)).astype("f4")))
    scores.append(score(random.normal(0, level, len(clean)).astype("f4")))
    assert scores == sorted(scores, reverse=True) and 1 <= scores[3] < 1.5 < 2.3 < scores[0] <= 5
    assert score(clean) == scores[0] and score(np.zeros(0, "f4")) == 1.0


def test_short_recordings_are_repeated_and_long_ones_heard_every_second() -> None:
    short = windows(np.arange(50000, dtype=np.float32))
    assert short.shape == (1, dnsmos.WINDOW) and short[0, 50000] == 0 and short[0, 50001] == 1
    assert windows(np.zeros(dnsmos.WINDOW + 2 * 16000 + 5, np.float32)).shape == (3, dnsmos.WINDOW)


def test_the_network_is_found_without_its_package() -> None:
    import subprocess
    import sys

    program = (
        "import sys\nfrom kathrine.corpus.dnsmos import open_dnsmos, missing_packages\n"
        "assert missing_packages() is None and 'onnxruntime' not in sys.modules\nopen_dnsmos()\n"
        "print(sorted({'speechmos', 'librosa', 'onnxruntime'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert done.stdout.strip() == "['onnxruntime']"


def test_a_missing_package_is_said_at_check_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dnsmos, "NEEDED", ("onnxruntime", "no_such_package"))
    with pytest.raises(RecipeError, match=r'prepare.min_dnsmos: needs no_such_package: .*"kathrine\[quality\]"'):
        load_recipe("kathrine:base", "smoke", ["prepare.min_dnsmos=2.5"])
    load_recipe("kathrine:base", "smoke")
    with pytest.raises(KathrineError, match="no_such_package"):
        open_dnsmos()


def test_a_low_score_is_counted_and_asked_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def counting() -> Any:
        def score(wave_N: np.ndarray) -> float:
            calls.append(len(wave_N))
            return 2.0 + 0.1 * (len(calls) % 20)

        return score

    monkeypatch.setattr(dnsmos, "open_dnsmos", counting)
    listed = utterances(tmp_path / "audio", 20)
    short = replace(listed[0], id="short", end=0.25)
    first = prepared(tmp_path, recipe([*listed, short], table={"min_dnsmos": 2.55, "min_seconds": 0.5}))
    assert rejected(first) == {"too short": 1, "low DNSMOS": 6} and len(calls) == 20, "the cheaper gate comes first"
    told = [json.loads(line) for line in (first.folder / "manifest.jsonl").read_text().splitlines()]
    assert all(("dnsmos" in row) == (row["id"] != "short") for row in told)
    assert next(row for row in told if row.get("reason") == "low DNSMOS")["detail"].startswith("2.")
    second = prepared(tmp_path, recipe([*listed, short], table={"min_dnsmos": 3.05, "min_seconds": 0.5}))
    assert rejected(second) == {"too short": 1, "low DNSMOS": 11} and len(calls) == 20


def test_shards_are_judged_where_their_recordings_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dnsmos, "open_dnsmos", lambda: lambda wave_N: round(1 + len(wave_N) / 16000, 2))
    listed = utterances(tmp_path / "audio", 24)
    listed[3] = replace(listed[3], texts={"text": "dette er \ud800 brutt"})
    made = recipe(listed, table={"min_dnsmos": 2.1})
    whole = prepared(tmp_path / "whole", made)
    assert rejected(whole)["low DNSMOS"] > 3 and rejected(whole)["control characters"] == 1
    folders = []
    for number in (1, 2):
        prepare_shard(made, Workspace(tmp_path / f"m{number}"), SilentProgress(), Part(number, 2))  # type: ignore[arg-type]
        folders.append(tmp_path / f"m{number}" / "corpus" / "shards" / f"{number}-of-2")
    (tmp_path / "audio").rename(tmp_path / "elsewhere")
    monkeypatch.setattr(dnsmos, "open_dnsmos", lambda: pytest.fail("it was judged before"))
    merge(made, Workspace(tmp_path / "merged"), SilentProgress(), folders)  # type: ignore[arg-type]
    merged = prepared(tmp_path / "merged", made)
    assert merged.fingerprint == whole.fingerprint and merged.facts == whole.facts
    page = (merged.folder / "corpus.html").read_text(encoding="utf-8")
    assert "low DNSMOS" in page and "does not exist" in page


def test_what_was_heard_is_compared_letter_by_letter_and_as_it_is_spoken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Counting(Shouting):
        def normalise(self, text: str, variant: str = "text") -> SpokenText:
            return SpokenText(text.replace("40", "førti"))

    said = ["Førti biler går", "førti biler, går!", "førti bilar går", "noe annet", "", "40 biler går"]
    monkeypatch.setattr(recognise, "fetch_recogniser", lambda *args: (tmp_path, "mark"))
    monkeypatch.setattr(Recogniser, "transcribe", lambda self, waves: [said.pop(0) for _ in waves])
    listed = [replace(each, texts={"text": "førti biler går"}) for each in utterances(tmp_path / "audio", 6, 1)]
    corpus = prepared(tmp_path, recipe(listed, language=Counting(), table={"asr_model": "a/b", "max_cer": 0.05}))
    rows = [json.loads(line) for line in (corpus.folder / "manifest.jsonl").read_text().splitlines()]
    assert [row["cer"] for row in rows] == [0, 0, pytest.approx(1 / 13, abs=1e-4), pytest.approx(12 / 13, 0.1), 1.0, 0]
    assert rejected(corpus) == {"ASR differs": 3}
    assert rows[2]["detail"] == "CER 0.08, heard: førti bilar går"


def test_the_bar_moves_once_for_each_row_however_many_judges_there_are() -> None:
    class Half:
        batch = 2

        def __init__(self, name: str, kept: int) -> None:
            self.name, self.kept, self.seen = name, kept, 0

        def take(self, rows: Any) -> None:
            self.seen += len(rows)
            for row in rows:
                row.kept = row.kept and row.number < self.kept

    class One:
        def __init__(self, number: int) -> None:
            self.number, self.kept, self.audio = number, number != 3, "key"

    told: list[float] = []
    judges = [Half("one", 4), Half("two", 9)]
    rows = [One(number) for number in range(8)]
    moved = judge(rows, judges, lambda amount, description: told.append(amount), "listening")  # type: ignore[arg-type]
    assert moved == pytest.approx(8) == sum(told) and [each.seen for each in judges] == [7, 3]
    assert judge(rows, [], lambda *args, **more: None, "listening") == 0  # type: ignore[arg-type]
