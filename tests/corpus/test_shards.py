"""Shards on several machines, merged: the same corpus as on one, byte for byte but for paths."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import soundfile
from corpus_fakes import SIZE, FakeFamily, FakeRecipe, ListSource, Shouting, prepared, recipe, speech, utterances

from kathrine.corpus import shards
from kathrine.corpus.merging import merge
from kathrine.corpus.shards import parse_part, prepare_shard, split_evenly
from kathrine.errors import KathrineError
from kathrine.progress import SilentProgress
from kathrine.types import Part, Utterance
from kathrine.workspace import Workspace


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audio")
    utterances(folder, 40)
    return folder


def shard(root: Path, made: FakeRecipe, part: str) -> Path:
    """Prepare one shard in a workspace of its own; its folder."""
    prepare_shard(made, Workspace(root), SilentProgress(), parse_part(part))  # type: ignore[arg-type]
    return root / "corpus" / "shards" / part.replace("/", "-of-")


def join(root: Path, made: FakeRecipe, folders: list[Path], **more: bool) -> SilentProgress:
    progress = SilentProgress()
    merge(made, Workspace(root), progress, folders, **more)  # type: ignore[arg-type]
    return progress


def contents(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def mixed(audio: Path, folder: Path) -> list[Utterance]:
    """Everything that a corpus can hold: broken, twice, imported, with references, too long, silent speakers."""
    given = utterances(audio, 30)
    broken, voice, long = folder / "broken.wav", folder / "voice.wav", folder / "long.wav"
    broken.write_bytes(b"RIFF nonsense")
    soundfile.write(voice, speech(3.0, 77), 8000)
    soundfile.write(long, speech(60.0, 5), 8000)
    flat = (tuple(n % SIZE for n in range(48)),)
    odd = [
        replace(given[0], id="broken", audio=broken),
        replace(given[0], id="absent", audio=folder / "absent.wav"),
        replace(given[0], id="long", audio=long),
        replace(given[29], id="twice"),
        replace(given[1], id="framed", codes=flat),
        replace(given[1], id="bad", codes=((SIZE, 0, 0, 0),) * 3),
        replace(given[2], id="lent", audio=given[2].audio, start=0.1, end=0.7, reference=voice),
        replace(given[3], id="own", start=0.1, end=0.6, reference=given[3].audio),
        replace(given[4], id="worse", start=0.1, reference=folder / "none.wav"),
        replace(given[5], id="lonely", start=0.2, speaker="lonely"),
    ]
    # Spread over all parts.
    return [
        each for number, one in enumerate(given) for each in (one, *odd[number // 3 : number // 3 + (number % 3 == 2)])
    ]


@pytest.mark.parametrize("options", [{}, {"max_hours": 14 / 3600}, {"speaker_cap_minutes": 6 / 60}])
def test_three_shards_make_the_corpus_of_one_machine(audio: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    given = mixed(audio, tmp_path)
    cut = len(given) // 2

    def made(family: FakeFamily) -> FakeRecipe:
        return recipe(given[:cut], given[cut:], family=family, language=Shouting(), **options)

    whole = prepared(tmp_path / "whole", made(FakeFamily()))
    families = [FakeFamily() for _ in range(3)]
    folders = [shard(tmp_path / f"m{n}", made(families[n]), f"{n + 1}/3") for n in range(3)]
    family = FakeFamily()
    join(tmp_path / "merged", made(family), folders)
    joined = prepared(tmp_path / "merged", made(family))
    assert joined.fingerprint == whole.fingerprint and contents(joined.folder) == contents(whole.folder)
    # Nothing was left to compute, and no machine did the work of another.
    assert not {"open_codec", "open_text", "speaker"} & family.calls.keys()
    encoded = [each.calls["encode"] for each in families]
    assert all(encoded) and max(encoded) - min(encoded) <= 6
    assert sum(encoded) >= len([row for row in whole.rows if row.id != "framed"])
    if not options:
        assert sum(encoded) <= len(whole.rows) + 6


def test_a_merge_needs_no_recordings_and_no_source(audio: Path, tmp_path: Path) -> None:
    here = tmp_path / "here"
    shutil.copytree(audio, here)
    given = utterances(here, 24)
    whole = prepared(tmp_path / "whole", recipe(given))
    folders = [shard(tmp_path / f"m{n}", recipe(given), f"{n}/2") for n in (1, 2)]
    shutil.rmtree(here)
    join(tmp_path / "merged", recipe(given), folders)
    blind = recipe(given)

    def refuse(context: object) -> None:
        raise AssertionError("the source was asked")

    blind.data[0].source.prepare = blind.data[0].source.utterances = refuse  # type: ignore[method-assign, assignment]
    joined = prepared(tmp_path / "merged", blind)
    assert joined.fingerprint == whole.fingerprint
    # Another conditioning is another recipe: its shards were never merged, and its recordings are not here.
    with pytest.raises(KathrineError, match=r"none is left to train on .missing file: 24"):
        prepared(tmp_path / "merged", recipe(given, table={"trim_db": 30.0}))


def test_what_no_shard_listened_to_is_named(audio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SURPLUS_SECONDS", 0.0)
    here = tmp_path / "here"
    shutil.copytree(audio, here)
    given = utterances(here, 40)
    limited = recipe(given, validation_share=0.0, max_hours=12 / 3600)
    folders = [shard(tmp_path / f"m{n}", limited, f"{n}/2") for n in (1, 2)]
    # Lengths as recorded reach the limit sooner than trimmed ones; 15 % more were listened to.
    counts = [json.loads((folder / "shard.json").read_text())["entries"]["a"]["encoded"] for folder in folders]
    assert 8 < sum(counts) < 20 and abs(counts[0] - counts[1]) <= 1
    join(tmp_path / "merged", recipe(given, validation_share=0.0), folders)
    shutil.rmtree(here)
    with pytest.raises(KathrineError, match=r"recordings are needed that no shard has listened to .*clip0\d\d\.wav"):
        prepared(tmp_path / "merged", recipe(given, validation_share=0.0))


class Days(ListSource):
    """Splits by itself, and lists only what its part fetched."""

    name = "days"
    splits = True

    def utterances(self, context: Any) -> list[Utterance]:
        assert context.part is not None or not self.given
        return list(self.given)[context.part.block(len(self.given))]


def test_a_source_that_splits_lists_its_own_part(audio: Path, tmp_path: Path) -> None:
    given = utterances(audio, 20)
    whole = prepared(tmp_path / "whole", recipe(given))
    made = recipe(given)
    made.data[0].source = Days(given)
    # The kernel's report names the source: the same name for both.
    made.data[0].source.name = "list"  # type: ignore[misc]
    folders = [shard(tmp_path / f"m{n}", made, f"{n}/3") for n in (1, 2, 3)]
    join(tmp_path / "merged", made, folders)
    assert prepared(tmp_path / "merged", made).fingerprint == whole.fingerprint


@pytest.mark.parametrize("splits", [False, True])
def test_a_merge_counts_what_sources_left_out_as_one_machine_does(audio: Path, tmp_path: Path, splits: bool) -> None:
    given = utterances(audio, 20)

    def made(counts: dict[str, int]) -> FakeRecipe:
        one = recipe(given)
        one.data[0].source = (Days if splits else ListSource)(given, counts)
        one.data[0].source.name = "list"  # type: ignore[misc]
        return one

    # A source that splits counts what lies in its part; another one lists, and counts, everything in each.
    parts = [{"clip missing": 1, "odd": 4}, {"clip missing": 2}] if splits else [{"clip missing": 3, "odd": 4}] * 2
    folders = [shard(tmp_path / f"m{n}", made(counts), f"{n + 1}/2") for n, counts in enumerate(parts)]
    join(tmp_path / "merged", made({}), folders)
    joined = prepared(tmp_path / "merged", made({}))
    assert joined.facts["entries"]["a"]["left_out_by_source"] == {"clip missing": 3, "odd": 4}
    single = recipe(given)
    single.data[0].source = ListSource(given, {"odd": 4, "clip missing": 3})
    assert joined.fingerprint == prepared(tmp_path / "whole", single).fingerprint


def test_what_does_not_belong_together_is_refused(audio: Path, tmp_path: Path) -> None:
    given = utterances(audio, 12)
    made = recipe(given)
    for wrong in ("0/3", "4/3", "1", "a/b", "1/0"):
        with pytest.raises(KathrineError, match="no part of a whole"):
            parse_part(wrong)
    first = shard(tmp_path / "m1", made, "1/3")
    with pytest.raises(KathrineError, match=r"shard 2/3, 3/3 is missing, about 0\.00 h"):
        join(tmp_path / "merged", made, [first])
    other = shard(tmp_path / "m2", recipe(given, family=FakeFamily(codec="codec-2"), table={"trim_db": 30.0}), "2/3")
    with pytest.raises(KathrineError, match=r"shard 2/3 .* another codec and another conditioning than this recipe"):
        join(tmp_path / "merged", made, [first, other])
    half = shard(tmp_path / "m3", made, "2/2")
    with pytest.raises(KathrineError, match="into 2 and 3 parts"):
        join(tmp_path / "merged", made, [first, half])
    with pytest.raises(KathrineError, match="holds no finished shard"):
        join(tmp_path / "merged", made, [tmp_path / "m1"])
    fewer = [first, *(shard(tmp_path / f"f{n}", recipe(given[:9]), f"{n}/3") for n in (2, 3))]
    with pytest.raises(KathrineError, match=r"shard 2/3 was divided from other recordings"):
        join(tmp_path / "merged", made, fewer)
    assert not list((tmp_path / "merged").glob("corpus/prepared-*"))


def test_missing_shards_are_prepared_here_when_that_is_allowed(audio: Path, tmp_path: Path) -> None:
    given = utterances(audio, 24)
    whole = prepared(tmp_path / "whole", recipe(given))
    shard(tmp_path / "ws", recipe(given), "1/3")
    family = FakeFamily()
    progress = join(tmp_path / "ws", recipe(given, family=family), [], allow_missing=True)
    assert "shard 2/3 is missing: it is prepared here" in progress.said and family.calls["encode"] == 16
    assert prepared(tmp_path / "ws", recipe(given, family=family)).fingerprint == whole.fingerprint
    assert family.calls["encode"] == 16


def test_a_shard_twice_computes_nothing(audio: Path, tmp_path: Path) -> None:
    given = utterances(audio, 12)
    folder = shard(tmp_path / "m1", recipe(given), "1/2")
    marker = json.loads((folder / "shard.json").read_text())
    assert marker["entries"]["a"] == {"block": [0, 6, 12], "encoded": 6, "left_out_by_source": {}}
    family = FakeFamily()
    shard(tmp_path / "m1", recipe(given, family=family), "1/2")
    assert not family.calls["encode"] and json.loads((folder / "shard.json").read_text()) == marker


def test_blocks_have_no_gaps() -> None:
    for wanted in ([True] * 10, [False, True, True, False, True, False, False], [False] * 4, [], [True]):
        for of in (1, 2, 3, 5):
            blocks = [split_evenly(wanted, Part(number, of)) for number in range(1, of + 1)]
            assert [place for block in blocks for place in range(len(wanted))[block]] == list(range(len(wanted)))
