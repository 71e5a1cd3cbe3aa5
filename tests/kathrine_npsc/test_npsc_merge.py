"""Clips that end in mid-speech are joined with what their speaker says next."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from npsc_fixtures import write_speakers
from source_client import run_source

from kathrine import KathrineError
from kathrine.types import Part
from kathrine_npsc.clips import Clip
from kathrine_npsc.merge import Joining, Link, chains, gaps, join, joined_file, write_joined
from kathrine_npsc.metadata import Sentence
from kathrine_npsc.source import utterance_of
from kathrine_npsc.speakers import Person

NPSC = "kathrine_npsc.source:NpscSource"
JOINING = Joining(seconds=12.0, gap=0.5)


def links(pattern: str, seconds: float = 3.0, gap_ms: int = 0) -> list[Link]:
    """Sentences one after another: `c` is cut, `p` ends in a pause, `x` could not be decoded."""
    made, now = [], 0
    for order, mark in enumerate(pattern):
        end = now + int(seconds * 1000)
        sentence = Sentence(
            "20170101",
            "train",
            f"20170101-100000_{now}_{end}",
            order,
            now,
            end,
            7,
            "Taler",
            "nb",
            {"text": f"del {order}"},
        )
        sounding = {"c": True, "p": False, "x": None}[mark]
        made.append(Link(sentence, Clip(Path(f"{order}.mp3"), sentence.stem, sounding, 48000, "s")))
        now = end + gap_ms
    return made


def shape(made: list[list[Link]]) -> list[list[int]]:
    return [[link.sentence.order for link in chain] for chain in made]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("ppp", [[0], [1], [2]]),
        ("cpp", [[0, 1], [2]]),
        ("ccp", [[0, 1, 2]]),
        ("pcc", [[0], [1, 2]]),  # the last one stays cut
        ("ccccccc", [[0, 1, 2, 3], [4, 5, 6]]),  # 12 s at most, from left to right
        ("cxp", [[0], [1], [2]]),
    ],
)
def test_chains_go_from_left_to_right_while_the_sound_goes_on(pattern, expected):
    assert shape(chains(links(pattern), JOINING)) == expected


@pytest.mark.parametrize(
    ("change", "joined"),
    [
        ({}, True),
        ({"speaker_id": 8}, False),
        ({"language": "nn"}, False),
        ({"order": 5}, False),
        ({"stem": "20170101-180000_3000_6000"}, False),
        ({"day": "20170102"}, False),
        ({"start": 3499}, True),
        ({"start": 3500}, False),
        ({"start": 2990}, True),
        ({"start": 2980}, False),
        ({"texts": {"text": "det er <INAUDIBLE> her"}}, False),
        ({"texts": {"text": "<ee> her"}}, True),
    ],
)
def test_only_neighbours_of_one_speaker_are_joined(change, joined):
    first, second = links("cp")
    second = replace(second, sentence=replace(second.sentence, **change))
    assert (len(chains([first, second], JOINING)) == 1) is joined


def test_tags_lengths_and_rates_can_stand_against_it():
    first, second = links("cp")
    tagged = replace(second, sentence=replace(second.sentence, texts={"text": "<ee> her"}))
    assert len(chains([first, tagged], replace(JOINING, reject_tags=True))) == 2
    assert len(chains([first, second], replace(JOINING, seconds=5.9))) == 2
    assert len(chains([first, second], replace(JOINING, seconds=0.0))) == 2
    other = replace(second, clip=replace(second.clip, rate=16000))
    assert len(chains([first, other], JOINING)) == 2


def test_a_chain_stands_where_its_first_sentence_stood():
    a, b, c, d = links("cppp")
    assert shape(chains([d, b, a, c], JOINING)) == [[3], [0, 1], [2]]
    assert shape(chains([a, c, d], JOINING)) == [[0], [2], [3]]  # what came next is no part of the plan


def test_names_texts_and_the_last_end_make_the_utterance():
    (chain,) = chains(links("cc", gap_ms=200), JOINING)
    chain[0] = replace(chain[0], sentence=replace(chain[0].sentence, texts={"text": "vi har ", "norm": "x"}))
    made = utterance_of(chain, Path("a.flac"), Person("female", ""))
    assert made.id == "20170101-100000_0_3000+20170101-100000_3200_6200"
    assert made.texts == {"text": "vi har del 1"}  # only what both have
    assert made.cut and made.seconds == 6.2
    assert made.facts["joined_clips"] == "2" and made.facts["gender"] == "female"


def tone(path: Path, seconds: float, level: float, channels: int = 1, rate: int = 8000) -> Path:
    wave = level * np.ones((int(seconds * rate), channels), np.float32)
    soundfile.write(path, wave, rate, subtype="FLOAT")
    return path


def test_the_sound_of_a_chain_is_its_clips_with_the_silence_between_them(tmp_path):
    parts = [
        tone(tmp_path / "a.wav", 1.0, 0.5, channels=2),
        tone(tmp_path / "b.wav", 0.5, 0.25),
        tone(tmp_path / "c.wav", 0.5, -0.5),
    ]
    write_joined(tmp_path / "joined.flac", parts, [0, 250])
    wave, rate = soundfile.read(tmp_path / "joined.flac")
    assert rate == 8000 and wave.ndim == 1 and len(wave) == 8000 + 4000 + 2000 + 4000
    assert np.allclose(wave[:8000], 0.5, atol=1e-4)  # contiguous clips go on without a seam
    assert np.allclose(wave[8000 : 12000 - 40], 0.25, atol=1e-4)
    assert not wave[12000:14000].any()
    assert abs(wave[11999]) < 0.01 and abs(wave[14000]) < 0.01 and wave[-1] == pytest.approx(-0.5, abs=1e-4)


def test_a_joined_file_is_written_once_and_anew_when_a_clip_changed(tmp_path):
    (chain,) = chains(links("cp"), JOINING)
    chain = [
        replace(link, clip=replace(link.clip, path=tone(tmp_path / f"{n}.wav", 1.0, 0.1)))
        for n, link in enumerate(chain)
    ]
    path = join(tmp_path / "joined", chain)
    time = path.stat().st_mtime_ns
    assert join(tmp_path / "joined", chain) == path == joined_file(tmp_path / "joined", chain)
    assert path.stat().st_mtime_ns == time and gaps(chain) == [0]
    changed = [chain[0], replace(chain[1], clip=replace(chain[1].clip, stamp="t"))]
    assert joined_file(tmp_path / "joined", changed) != path
    chain[1].clip.path.write_bytes(b"no sound")
    with pytest.raises(KathrineError, match=r"1\.wav can not be read any more"):
        join(tmp_path / "joined", changed)
    assert [file.name for file in (tmp_path / "joined").iterdir()] == [path.name]


def run(tmp_path: Path, wishes: dict | None = None, **options) -> dict:
    settings = {"root": "kathrine:npsc", "validation_speakers": "any", **options}
    return run_source(NPSC, settings, tmp_path / "workspace", **(wishes or {}))


def test_the_cut_clips_of_the_sample_are_joined_and_counted(tmp_path):
    told = run(tmp_path)
    joined = [u for u in told["utterances"] if "+" in u["id"]]
    assert {u["texts"]["text"] for u in joined} == {
        "vi foreslår at staten betaler halvparten av det som bygges langs fjorden",
        "kvotene ble delt ut etter et regneark og ikke etter hvem som faktisk drar på havet",
    }
    assert len(told["utterances"]) == 48 and not any(u["cut"] for u in told["utterances"])
    for utterance in joined:
        info = soundfile.info(utterance["audio"])
        assert (info.format, info.samplerate) == ("FLAC", 48000)
        assert info.duration == pytest.approx(utterance["seconds"], abs=0.001)
    (line,) = [line for line in told["said"] if "mid-speech" in line]
    assert (
        "2 of 50 clips end in mid-speech (4%); 4 clips were joined" in line and "to 2 utterances, 0 utterances" in line
    )
    times = {u["audio"]: Path(u["audio"]).stat().st_mtime_ns for u in joined}
    again = run(tmp_path)
    assert again["utterances"] == told["utterances"]
    assert times == {audio: Path(audio).stat().st_mtime_ns for audio in times}


def test_joining_can_be_turned_off_and_is_never_longer_than_prepare_takes(tmp_path):
    for told in (
        run(tmp_path, merge_seconds=0.0),
        run(tmp_path, {"max_seconds": 4.0}),
        run(tmp_path, merge_seconds=4.0),
    ):
        assert len(told["utterances"]) == 50 and sum(u["cut"] for u in told["utterances"]) == 2
    assert len(run(tmp_path, merge_gap_seconds=0.001)["utterances"]) == 48  # these touch


@pytest.mark.parametrize("balance", [False, True])
def test_parts_one_after_another_are_the_whole(tmp_path, balance):
    people = write_speakers(tmp_path / "speakers.json")
    options = {"balance_gender": balance, "speaker_data": str(people)}
    one = run(tmp_path, **options)
    whole = one["utterances"]
    parts = [run(tmp_path / str(n), {"part": Part(n, 3)}, **options) for n in (1, 2, 3)]

    def plain(utterances: list[dict]) -> list[dict]:
        return [{**utterance, "audio": Path(utterance["audio"]).name} for utterance in utterances]

    assert plain([utterance for told in parts for utterance in told["utterances"]]) == plain(whole)
    assert any("+" in utterance["id"] for utterance in whole)
    assert sum((Counter(told["left_out"]) for told in parts), Counter()) == one["left_out"] and one["left_out"]
    if not balance:  # each machine unpacks its own days only
        unpacked = [len(list((tmp_path / str(n)).rglob("index.json"))) for n in (1, 2, 3)]
        assert sum(unpacked) == 4 and min(unpacked) == 1
