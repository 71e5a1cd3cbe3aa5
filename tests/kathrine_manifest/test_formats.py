"""Every format: recognised with its reason, read as it is meant, and heard by libsndfile."""

from __future__ import annotations

import json
from pathlib import Path

import layouts
import pytest
import soundfile
from layouts import LAYOUTS, TEXTS, facts, read, sound, write_lines

from kathrine.errors import KathrineError
from kathrine.progress import SilentProgress
from kathrine_manifest import Manifest, ManifestOptions

SAID = {
    "ljspeech": "LJSpeech: metadata.csv with 3 columns and wavs/; 4 rows, 0 problems",
    "piper": "Piper: metadata.csv with 3 columns and wav/; 4 rows, 0 problems",
    "audiofolder": "audiofolder: 2 files such as train/metadata.csv with the column file_name; 4 rows, 0 problems",
    "pairs": "recordings with a text file each: 4 of 4 recordings have a text, such as kari/1.WAV and kari/1.txt",
    "nemo": "NeMo: train_manifest.json with the keys audio_filepath, text, offset, duration, speaker; 4 rows",
    "kaldi": "Kaldi: wav.scp with text and segments; 4 rows, 0 problems",
    "lhotse": "Lhotse: cuts_train.jsonl.gz; 3 rows, 0 problems",
    "common_voice": "Common Voice: dev.tsv, test.tsv, train.tsv with client_id, path and sentence, and clips/; 4 rows",
    "jsonl": "JSON Lines: train_raw.jsonl with the keys audio_path, text, ref_audio_path, language; 4 rows, 0 problems",
    "parquet": "Parquet: 2 shards such as train-00000-of-00002.parquet; 4 rows, 0 problems",
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_folder_is_recognised_and_the_reason_is_said(name: str, tmp_path: Path) -> None:
    progress = SilentProgress()
    found = read(LAYOUTS[name](tmp_path / "top"), tmp_path / "ws", progress)
    assert any(line.startswith(f"manifest: {SAID[name]}") for line in progress.said), progress.said
    assert progress.warned == []
    for utterance in found:
        assert utterance.audio is not None and soundfile.info(utterance.audio).duration >= 2.0
    assert len({utterance.id for utterance in found}) == len(found)


@pytest.mark.parametrize("name", LAYOUTS)
def test_naming_the_format_reads_the_same(name: str, tmp_path: Path) -> None:
    top = LAYOUTS[name](tmp_path / "top")
    assert read(top, tmp_path / "ws", format=name) == read(top, tmp_path / "ws")


def test_ljspeech_keeps_both_texts_and_two_columns_are_enough(tmp_path: Path) -> None:
    top = layouts.ljspeech(tmp_path / "top")
    found = read(top, tmp_path / "ws", texts={"normalised": "normalised"})
    assert [u.texts for u in found[:2]] == [
        {"text": "Nå er klokka 0.", "normalised": TEXTS[0]},
        {"text": "Nå er klokka 1.", "normalised": TEXTS[1]},
    ]
    assert [u.id for u in found] == ["LJ000", "LJ001", "LJ002", "LJ003"]
    assert Manifest(ManifestOptions(path=str(top), texts={"normalised": "normalised"})).variants() == (
        "text",
        "normalised",
    )
    assert found[0].audio == top / "wavs" / "LJ000.wav" and found[0].speaker == "speaker"
    swapped = read(top, tmp_path / "ws", columns={"text": "normalised"}, speaker="linda")
    assert facts(swapped)[0] == (TEXTS[0], "linda", None)
    write_lines(top / "metadata.csv", *[f"LJ00{n}|{text}" for n, text in enumerate(TEXTS)])
    assert [u.text for u in read(top, tmp_path / "ws")] == list(TEXTS)
    assert [u.text for u in read(top / "metadata.csv", tmp_path / "ws")] == list(TEXTS)


def test_piper_with_and_without_endings_and_speakers(tmp_path: Path) -> None:
    top = layouts.piper(tmp_path / "top")
    assert facts(read(top, tmp_path / "ws"))[:2] == [(TEXTS[0], "ola", None), (TEXTS[1], "kari", None)]
    write_lines(top / "metadata.csv", *[f"{n}.wav|{text}" for n, text in enumerate(TEXTS)])
    found = read(top, tmp_path / "ws")
    assert facts(found)[3] == (TEXTS[3], "speaker", None) and found[3].audio == top / "wav" / "3.wav"
    write_lines(top / "metadata.csv", *[f"{n}|{'ab'[n % 2]}|{text}" for n, text in enumerate(TEXTS)])
    assert {u.speaker for u in read(top, tmp_path / "ws")} == {"a", "b"}


def test_audiofolder_splits_by_folder_and_takes_other_file_columns(tmp_path: Path) -> None:
    top = layouts.audiofolder(tmp_path / "top")
    progress = SilentProgress()
    found = read(top, tmp_path / "ws", progress)
    assert facts(found)[0] == (f'{TEXTS[0]}, "ja"', "s0", "train") and found[3].split == "validation"
    assert any(line.endswith("not read: age") for line in progress.said)
    rows = [{"audio_file_name": "clips/0.mp3", "ref_file_name": "clips/1.mp3", "text": "Ja"}]
    (top / "train" / "metadata.csv").unlink()
    write_lines(top / "train" / "metadata.jsonl", *rows)
    found = read(top, tmp_path / "ws", splits=["train"])
    assert [(u.audio.name, u.reference.name, u.text) for u in found] == [("0.mp3", "1.mp3", "Ja")]


def test_audiofolder_with_its_metadata_in_parquet(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    top = tmp_path / "top"
    sound(top / "a.flac")
    parquet.write_table(
        pa.table({"file_name": ["a.flac"], "text": ["Ja"], "duration": [2.0]}), top / "metadata.parquet"
    )
    (found,) = read(top, tmp_path / "ws")
    assert (found.audio, found.text, found.seconds) == (top / "a.flac", "Ja", 2.0)


def test_pairs_take_the_speaker_from_the_folder_and_find_texts_elsewhere(tmp_path: Path) -> None:
    top = layouts.pairs(tmp_path / "top")
    found = {u.id: u for u in read(top, tmp_path / "ws")}
    assert found["kari_1"].text == TEXTS[1] and found["kari_1"].speaker == "kari"
    apart = tmp_path / "apart"
    for number, text in enumerate(TEXTS):
        sound(apart / "wav48" / f"p{number % 2}" / f"{number}.flac", number)
        write_lines(apart / "txt" / f"p{number % 2}" / f"{number}.txt", text)
    assert {(u.id, u.speaker) for u in read(apart, tmp_path / "ws")} == {
        (f"p{n % 2}_{n}", f"p{n % 2}") for n in range(4)
    }


def test_pairs_tell_of_what_is_alone(tmp_path: Path) -> None:
    top = layouts.pairs(tmp_path / "top")
    sound(top / "kari" / "alone.wav")
    write_lines(top / "ola" / "silent.txt", "Ingen sa dette.")
    with pytest.raises(KathrineError) as error:
        read(top, tmp_path / "ws")
    assert "kari/alone.wav:1: no text of the same name" in str(error.value)
    assert "ola/silent.txt:1: no recording of the same name" in str(error.value)
    assert len(read(top, tmp_path / "ws", on_problem="leave_out")) == 4


def test_nemo_parts_are_cut_by_offset_and_duration(tmp_path: Path) -> None:
    found = read(layouts.nemo(tmp_path / "top"), tmp_path / "ws")
    assert [(u.start, u.end, u.speaker) for u in found][1:3] == [(2.0, 4.0, "kari"), (4.0, 6.0, "kari")]


def test_kaldi_segments_speakers_and_pipes(tmp_path: Path) -> None:
    top = layouts.kaldi(tmp_path / "top")
    found = read(top, tmp_path / "ws")
    assert [(u.id, u.audio.name, u.start, u.end, u.speaker) for u in found][:2] == [
        ("u0", "rec1.wav", 0.0, 2.0, "ola"),
        ("u1", "rec1.wav", 2.0, None, "ola"),
    ]
    write_lines(top / "wav.scp", "rec1 sph2pipe -f wav rec1.sph |", "rec2 wavs.ark:17")
    write_lines(top / "segments", "u0 rec1 0.0 2.0", "u1 rec1 2.0", "u2 rec3 0 2")
    with pytest.raises(KathrineError) as error:
        read(top, tmp_path / "ws")
    for line in (
        "wav.scp:1: a command instead of a file: nothing is run here",
        "wav.scp:2: a place in an archive of Kaldi's own",
        "segments:2: a segment is: utterance, recording, start, end",
        "text:2: 'u1' is not in segments",
        "text:3: 'rec3' is not in wav.scp",
        "text:4: 'u3' is not in segments",
    ):
        assert line in str(error.value), line


def test_kaldi_without_segments_has_a_recording_for_each_utterance(tmp_path: Path) -> None:
    top = layouts.kaldi(tmp_path / "top")
    (top / "segments").unlink()
    write_lines(top / "text", "rec1 Ja da.", "rec2 Nei.")
    write_lines(top / "utt2spk", "rec1 ola", "rec2 kari")
    found = read(top, tmp_path / "ws")
    assert [(u.id, u.text, u.start, u.speaker) for u in found] == [
        ("rec1", "Ja da.", None, "ola"),
        ("rec2", "Nei.", None, "kari"),
    ]


def test_lhotse_cuts_are_relative_to_the_cut(tmp_path: Path) -> None:
    found = read(layouts.lhotse(tmp_path / "top"), tmp_path / "ws")
    assert [(u.id, u.audio.name, u.start, u.end, u.seconds) for u in found] == [
        ("sup0", "a.wav", None, None, 2.0),
        ("sup1", "b.wav", 1.0, 3.0, None),
        ("sup2", "b.wav", 3.5, 5.5, None),
    ]
    assert (found[0].speaker, found[0].language) == ("s0", "nb")


def test_lhotse_recordings_and_supervisions_and_what_is_no_file(tmp_path: Path) -> None:
    top = tmp_path / "top"
    sound(top / "a.wav")
    piped = layouts.lhotse_recording("p", "x", 2.0)
    piped["sources"][0] = {"type": "command", "channels": [0], "source": "cat /etc/passwd"}
    write_lines(top / "x_recordings_train.jsonl", layouts.lhotse_recording("a", "a.wav", 2.0), piped)
    rows = [
        {"id": f"s-{name}", "recording_id": name, "start": 0.0, "duration": 2.0, "text": "Ja", "speaker": "ola"}
        for name in ("a", "p", "q")
    ]
    write_lines(top / "x_supervisions_train.jsonl", rows[0])
    (found,) = read(top, tmp_path / "ws")
    assert (found.id, found.text, found.speaker) == ("s-a", "Ja", "ola")
    write_lines(top / "x_supervisions_train.jsonl", *rows)
    with pytest.raises(KathrineError) as error:
        read(top, tmp_path / "ws")
    assert "x_supervisions_train.jsonl:2: the recording is a command that is no file" in str(error.value)
    assert "x_supervisions_train.jsonl:3: the recording 'q' is not listed" in str(error.value)


def test_common_voice_votes_splits_and_people(tmp_path: Path) -> None:
    top = layouts.common_voice(tmp_path / "top")
    found = read(top, tmp_path / "ws")
    assert {(u.id, u.speaker, u.split, u.language) for u in found} == {
        ("common_voice_0", "anne", "train", "nb"),
        ("common_voice_1", "anne", "train", "nb"),
        ("common_voice_2", "bo", "validation", "nb"),
        ("common_voice_3", "cato", "test", "nb"),
    }
    assert any(u.text.startswith('"Hei') for u in found)
    whole = {u.id: u.split for u in read(top, tmp_path / "ws", files=["validated.tsv"])}
    # bo speaks in dev.tsv: also what is in validated.tsv only is held out.
    assert whole["common_voice_4"] == "validation" and whole["common_voice_5"] == "train" and len(whole) == 6
    progress = SilentProgress()
    kept = read(top, tmp_path / "ws", progress, files=["validated.tsv"], min_up_votes=3)
    assert [u.id for u in kept] == ["common_voice_1"] and "5 left out by min_up_votes" in " ".join(progress.said)
    assert len(read(top, tmp_path / "ws", files=["validated.tsv"], max_down_votes=0)) == 4


def test_a_table_says_which_column_is_wrong(tmp_path: Path) -> None:
    top = layouts.audiofolder(tmp_path / "top")
    path = top / "train" / "metadata.csv"
    path.write_text(path.read_text().replace("transcription", "tekst"), encoding="utf-8")
    with pytest.raises(KathrineError) as error:
        read(top, tmp_path / "ws")
    assert "train/metadata.csv:1: no column 'text'" in str(error.value) and "file_name, tekst" in str(error.value)
    assert 'columns = { text = "..." }' in error.value.hint
    with pytest.raises(KathrineError, match=r"no column 'tekts' \(did you mean 'tekst'"):
        read(top, tmp_path / "ws", columns={"text": "tekts"})
    found = read(top, tmp_path / "ws", columns={"text": "tekst"}, splits=["train"])
    assert len(found) == 3


def test_what_may_be_read_in_two_ways_is_refused_with_both(tmp_path: Path) -> None:
    top = layouts.ljspeech(tmp_path / "top")
    layouts.audiofolder(top)
    with pytest.raises(KathrineError) as error:
        read(top, tmp_path / "ws")
    assert "2 ways" in error.value.message and "ljspeech: metadata.csv with 3 columns" in error.value.message
    assert error.value.hint == 'say which: format = "ljspeech" or format = "audiofolder"'
    assert len(read(top, tmp_path / "ws", format="ljspeech")) == 4


def test_a_middle_column_that_may_be_either_is_refused(tmp_path: Path) -> None:
    top = tmp_path / "top"
    sound(top / "wavs" / "a.wav")
    write_lines(top / "metadata.csv", "a|Kari|Ja")
    with pytest.raises(KathrineError, match=r"2 ways"):
        read(top, tmp_path / "ws")
    assert read(top, tmp_path / "ws", format="piper")[0].speaker == "Kari"
    assert read(top, tmp_path / "ws", format="ljspeech")[0].texts == {"text": "Kari"}


def test_nothing_that_is_known_is_refused_with_the_formats(tmp_path: Path) -> None:
    (tmp_path / "top").mkdir()
    with pytest.raises(KathrineError, match=r"it holds no files"):
        read(tmp_path / "top", tmp_path / "ws")
    write_lines(tmp_path / "top" / "notes.md", "hei")
    with pytest.raises(KathrineError, match=r"no format is recognised in .* \(notes.md\)") as error:
        read(tmp_path / "top", tmp_path / "ws")
    assert "ljspeech" in error.value.hint and "parquet" in error.value.hint


@pytest.mark.parametrize("ending", ["wav", "WAV", "flac", "FLAC", "ogg", "Ogg", "mp3", "MP3"])
def test_every_kind_of_recording_in_small_and_capital_letters(ending: str, tmp_path: Path) -> None:
    top = tmp_path / "top"
    sound(top / "wavs" / f"a.{ending}")
    write_lines(top / "metadata.csv", "a|Ja da" if ending.islower() or ending.isupper() else f"a.{ending}|Ja da")
    (found,) = read(top, tmp_path / "ws")
    assert found.audio == top / "wavs" / f"a.{ending}" and soundfile.info(found.audio).frames == 32000


def test_a_folder_may_hold_other_json_and_a_lone_test_table_is_all_there_is(tmp_path: Path) -> None:
    top = tmp_path / "top"
    sound(top / "a.wav")
    write_lines(top / "dataset_infos.json", {"default": {"features": {}}})
    write_lines(top / "test.jsonl", {"audio": "a.wav", "text": "Ja"})
    assert facts(read(top, tmp_path / "ws")) == [("Ja", "speaker", None)]
    write_lines(top / "train.jsonl", {"audio": "a.wav", "text": "Nei", "id": "n"})
    assert facts(read(top, tmp_path / "ws")) == [("Ja", "speaker", "test"), ("Nei", "speaker", "train")]
    assert facts(read(top, tmp_path / "ws", splits=["train"])) == [("Nei", "speaker", "train")]


def test_other_encodings_and_damaged_files(tmp_path: Path) -> None:
    top = tmp_path / "top"
    sound(top / "wavs" / "a.wav")
    (top / "metadata.csv").write_bytes("a|Blåbær på øya\n".encode("latin-1"))
    with pytest.raises(KathrineError, match=r"metadata.csv:1: not UTF-8 .option encoding"):
        read(top, tmp_path / "ws")
    assert read(top, tmp_path / "ws", encoding="latin-1")[0].text == "Blåbær på øya"
    cut = layouts.lhotse(tmp_path / "cut") / "cuts_train.jsonl.gz"
    cut.write_bytes(cut.read_bytes()[:100])
    with pytest.raises(KathrineError, match=r"is damaged"):
        read(tmp_path / "cut", tmp_path / "ws", format="lhotse")


def test_the_bundled_sample_is_read_by_its_name(tmp_path: Path) -> None:
    found = read("kathrine:nb-librivox", tmp_path / "ws")
    assert len(found) == 26 and {u.facts["licence"] for u in found} == {"cc0-1.0"}
    assert json.dumps(sorted({u.speaker for u in found}), ensure_ascii=False) == '["Ingeborg Lundeby", "Sverre Aasmo"]'
