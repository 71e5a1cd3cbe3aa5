"""A foreign corpus through prepare: every row is kept, left out with a reason, or told by the source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import soundfile
from corpus_fakes import EASY, Entry, FakeFamily, FakeRecipe, prepared, rejected, speech

from kathrine.progress import SilentProgress
from kathrine.recipe.tables import DataTable, PrepareTable
from kathrine_manifest import Manifest, ManifestOptions


def test_kept_and_left_out_are_all_that_was_read(tmp_path: Path) -> None:
    top = tmp_path / "lj"
    (top / "wavs").mkdir(parents=True)
    lines = []
    for number in range(8):
        soundfile.write(top / "wavs" / f"c{number}.wav", speech(1.0 + 0.1 * number, number), 8000)
        lines.append(f"c{number}|dette er setning {number}|dette er setning {number}")
    (top / "wavs" / "c2.wav").unlink()
    (top / "wavs" / "c3.wav").write_bytes(b"RIFF")
    lines[4] = "c4||"
    lines += ["c5|en gang til|en gang til", "for lite"]
    (top / "metadata.csv").write_text("\n".join(lines), encoding="utf-8")

    options: dict[str, Any] = {"path": str(top), "on_problem": "leave_out", "format": "ljspeech"}
    source = Manifest(ManifestOptions(**options), "a")
    entry = Entry("a", DataTable(source="manifest", name="a"), source)
    progress = SilentProgress()
    corpus = prepared(tmp_path / "ws", FakeRecipe((entry,), FakeFamily(), PrepareTable(**EASY)), progress)

    assert rejected(corpus) == {"no text": 1, "missing file": 1, "corrupt": 1}
    facts = corpus.facts["entries"]["a"]
    assert facts["seen"] == 8 and facts["kept"] == 5
    assert any("10 rows, 4 problems" in line for line in progress.said)
    (left_out,) = [line for line in progress.warned if "are left out" in line]
    assert left_out.startswith("a: 2 of 10 rows are left out") and "metadata.csv:9: the id 'c5'" in left_out
    assert any("metadata.csv:3: there is no recording" in line for line in progress.warned)
    assert any("metadata.csv:5: the text is empty" in line for line in progress.warned)
