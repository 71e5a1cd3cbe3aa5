"""The model card: its front matter is known before the run, it says what a stranger needs, and it can be written again
from files alone."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from exported import Quiet, finished, planned
from huggingface_hub import ModelCard, metadata_load
from tiny_training import tiny_family, workspace

from kathrine.cards import advisable_fields, missing_fields
from kathrine.errors import KathrineError
from kathrine_checkpoint import Adapter, Merged
from kathrine_checkpoint.card import read_facts
from kathrine_checkpoint.manifest import file_hash
from kathrine_language_tag import LanguageTag, LanguageTagOptions
from kathrine_lora import Lora, LoraOptions
from kathrine_text_projection import TextProjection

sys.path.append(str(Path(__file__).parents[1] / "report"))
from report_pages import spoken, written_run

PLACE = "https://huggingface.co/kari/tale/resolve/main/"
EXPORTERS = (Adapter, Merged)
TEXTS = ("Kjære Kjersti | sa 'hei'.", "Tjue <b>skjell</b>.")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    strategies = [
        Lora(LoraOptions(lr=2e-3)),
        TextProjection(TextProjection.Options(lr=1e-3)),
        LanguageTag(LanguageTagOptions(lr=1e-2)),
    ]
    folder = tmp_path_factory.mktemp("runs") / "first"
    made = finished(folder, strategies, steps=3, language="norwegian")
    validations = [(step, {"validation.score": loss, "validation.npsc.talker": loss}, True) for step, loss in LOSSES]
    written_run(folder, [{"loss": 2.0}, {"loss": 1.5}, {"loss": 1.0}], validations)
    (folder / "samples").mkdir()
    spoken(folder / "samples", TEXTS, flags=["no end"])
    (folder / "versions.json").write_text(json.dumps({"packages": {"torch": "2.99"}, "platform": "secret-host"}))
    return made


LOSSES = ((0, 8.0), (3, 7.0))


@pytest.fixture(scope="module")
def exports(run, tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("export")
    for exporter in EXPORTERS:
        exporter().export(run, folder / exporter.name, Quiet())
    return {exporter.name: folder / exporter.name for exporter in EXPORTERS}


def text_of(folder: Path) -> str:
    return (folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_the_front_matter_is_known_before_the_run(run, exports, exporter) -> None:
    plan = planned(run.folder.name, dict(run.recipe), "norwegian")
    metadata = exporter().card_metadata(plan)
    assert ModelCard(text_of(exports[exporter.name])).data.to_dict() == metadata
    assert metadata_load(exports[exporter.name] / "README.md") == metadata
    assert missing_fields(metadata) == advisable_fields(metadata) == []
    assert metadata["datasets"] == ["NbAiLab/NPSC", "NbAiLab/nb-librivox"]
    assert metadata["pipeline_tag"] == "text-to-speech" and metadata["language"] == ["no", "nb"]
    wanted = {"adapter": ("peft", "adapter"), "merged": ("qwen-tts", "finetune")}[exporter.name]
    assert (metadata["library_name"], metadata["base_model_relation"]) == wanted


def test_what_nobody_knows_is_missed_before_the_run(run) -> None:
    plan = replace(planned("x", {}, None), sources={})
    (sentence,) = missing_fields(Merged().card_metadata(plan))
    assert sentence.startswith("the card has no language: set `languages`")
    assert len(advisable_fields(Merged().card_metadata(plan))) == 1
    told = Merged(Merged.Options(languages=["fo"], base_model="a/b", license="mit")).card_metadata(plan)
    assert (told["language"], told["base_model"], told["license"]) == (["fo"], "a/b", "mit")


def test_a_released_name_without_its_owner_is_the_hubs(run) -> None:
    plan = planned("x", {}, None, tiny_family("Qwen3-TTS-12Hz-0.6B-Base"))
    assert Merged().card_metadata(plan)["base_model"] == "Qwen/Qwen3-TTS-12Hz-0.6B-Base"
    assert plan.family.facts(workspace()).checkpoint == "Qwen/Qwen3-TTS-12Hz-0.6B-Base"


def headings(text: str) -> Sequence[str]:
    return [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_the_card_tells_a_stranger_what_it_is(exports, exporter) -> None:
    folder = exports[exporter.name]
    text = text_of(folder)
    told = [name for name in headings(text) if name != "How far the parts have moved"]
    assert told == [
        *("Samples", "Use", "What was trained", "Data", "Curves", "Evaluation", "Limits"),
        *("Voices and consent", "Checks after writing", "Recipe", "Versions"),
    ]
    assert text.split("\n## ")[0].count("Norwegian") == 1 and "43.75 h" in text
    for words in (
        "kathrine speak path/to/this/folder 'Kjære Kjersti | sa '\\''hei'\\''.' --reference voice.wav",
        'Qwen3TTSModel.from_pretrained("',
        "| npsc | talker | 8.0000 | 7.0000 |",
        "| torch | 2.99 |",
        "members of the Norwegian parliament",
        "volunteers of LibriVox",
        "only with the consent of whoever",
        "No listener has judged it",
        "| npsc | - | 39.50 | 3 | - | - | CC0-1.0 |",
        "![curves of the run](curves.svg)",
        '<audio controls preload="none" src="samples/01.wav"></audio>',
        "Tjue &lt;b&gt;skjell&lt;/b&gt;.",
        "Text gain is how much worse the talker would do with the text of another sentence",
        "The files were loaded again and compared with the model that was trained",
        "<details><summary>recipe.toml</summary>\n\n```toml\n",
    ):
        assert words in text, words
    assert "secret-host" not in text and "<b>skjell" not in text.replace('"Tjue <b>skjell</b>."', "")
    assert ET.fromstring((folder / "curves.svg").read_text(encoding="utf-8")).tag.endswith("svg")
    sounds = sorted((folder / "samples").iterdir())
    assert [path.name for path in sounds] == ["01.wav", "02.wav", "self-check.wav"] and sounds[0].stat().st_size > 1000


def test_an_adapter_says_how_its_parts_come_onto_the_official_model(exports) -> None:
    text = text_of(exports["adapter"])
    for words in ("text_projection.load_state_dict", "codec_language_id", "PeftModel.from_pretrained(model, folder)"):
        assert words in text, words
    assert "--language" not in text.split("## Use")[1].split("```")[1]  # its recipe comes along
    assert 'from_pretrained("path/to/its/base/model")' in text  # no other package knows the embedded model
    merged = text_of(exports["merged"])
    assert "--reference voice.wav --language norwegian" in merged and "PeftModel" not in merged
    for name in exports:
        code = [block.split("```")[0] for block in text_of(exports[name]).split("```python\n")[1:]]
        assert code and all(compile(block, name, "exec") for block in code)


def test_an_adapter_of_a_folder_says_that_its_base_is_needed(run, exports, tmp_path: Path) -> None:
    folder = copied(exports, "adapter", tmp_path / "copy")
    facts = json.loads((folder / "card.json").read_text())
    facts["base"] = {"checkpoint": "tuned", "revision": "local"}
    (folder / "card.json").write_text(json.dumps(facts))
    assert Adapter().refresh_card(run.folder, folder)
    text = text_of(folder)
    assert "trained on a model of its own, `tuned`" in text
    assert "kathrine speak path/to/its/base/model --adapter path/to/this/folder 'Kj" in text


def copied(exports: dict[str, Path], name: str, to: Path) -> Path:
    shutil.copytree(exports[name], to)
    return to


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_a_card_is_written_again_for_where_it_lies_and_with_what_was_measured(
    run, exports, exporter, tmp_path: Path
) -> None:
    folder = copied(exports, exporter.name, tmp_path / "copy")
    later = tmp_path / "run"
    shutil.copytree(run.folder, later)
    (later / "evaluation").mkdir()
    wer = {"value": 0.125, "low": 0.0625, "high": 0.25}
    system: dict[str, Any] = {
        "name": "step 3",
        "kind": "checkpoint",
        "step": 3,
        "language": "norwegian",
        "set": {"name": "nb", "sentences": 4},
        "metrics": {"asr": {"metric": "asr", "values": {"wer": wer}}},
    }
    (later / "evaluation" / "results.json").write_text(json.dumps({"systems": [system]}))
    assert exporter().refresh_card(later, folder, f"{PLACE}sub/")
    text = text_of(folder)
    assert metadata_load(folder / "README.md") == metadata_load(exports[exporter.name] / "README.md")
    for words in (
        "| asr wer | 12.5 % (6.2 to 25.0) |",
        "kathrine speak hub:kari/tale/sub ",
        'snapshot_download("kari/tale") + "/sub"',
        f'src="{PLACE}sub/samples/01.wav"',
        f"![curves of the run]({PLACE}sub/curves.svg)",
    ):
        assert words in text, words
    hashes = json.loads((folder / "manifest.json").read_text())["files"]
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    hashes = {name: facts["sha256"] for name, facts in hashes.items()}
    assert {name: file_hash(folder / name) for name in there - {"manifest.json"}} == hashes
    # the same twice is the same; without a place it is the first card again
    before = {name: (folder / name).read_bytes() for name in there}
    assert exporter().refresh_card(later, folder, f"{PLACE}sub/")
    assert before == {name: (folder / name).read_bytes() for name in there}
    assert exporter().refresh_card(run.folder, folder) and text_of(folder) == text_of(exports[exporter.name])


def test_the_root_of_a_repository_is_loaded_by_its_id(run, exports, tmp_path: Path) -> None:
    folder = copied(exports, "merged", tmp_path / "copy")
    assert Merged().refresh_card(run.folder, folder, PLACE)
    text = text_of(folder)
    assert 'Qwen3TTSModel.from_pretrained("kari/tale")' in text and "snapshot_download" not in text
    with pytest.raises(KathrineError, match="is no address of files of the Hub"):
        Merged().refresh_card(run.folder, folder, "kari/tale")


def test_options_that_changed_since_are_on_the_new_card(run, exports, tmp_path: Path) -> None:
    folder = copied(exports, "adapter", tmp_path / "copy")
    options = Adapter.Options(consent="All of them *agreed*.", samples=1, license="cc-by-4.0")
    assert Adapter(options).refresh_card(run.folder, folder)
    assert "\n\nAll of them *agreed*.\n\n- npsc: " in text_of(folder)
    assert metadata_load(folder / "README.md")["license"] == "cc-by-4.0"  # type: ignore[index]
    assert {path.name for path in (folder / "samples").iterdir()} == {"01.wav", "self-check.wav"}
    assert "samples/02.wav" not in json.loads((folder / "manifest.json").read_text())["files"]
    assert Adapter(Adapter.Options(samples=0)).refresh_card(run.folder, folder)
    assert "<audio" not in text_of(folder)
    assert [path.name for path in (folder / "samples").iterdir()] == ["self-check.wav"]


def test_a_card_that_was_edited_by_hand_stays(run, exports, tmp_path: Path) -> None:
    folder = copied(exports, "adapter", tmp_path / "copy")
    mine = text_of(folder) + "\nMy own words.\n"
    (folder / "README.md").write_text(mine, encoding="utf-8")
    progress = Quiet()
    assert not Adapter().refresh_card(run.folder, folder, PLACE, progress)
    assert text_of(folder) == mine and "was edited by hand" in progress.warned[0]
    (folder / "README.md").unlink()
    assert Adapter().refresh_card(run.folder, folder, PLACE, progress)
    assert "hub:kari/tale" in text_of(folder) and len(progress.warned) == 1
    # killed between card and list of hashes: it is the same card, so it is ours
    (folder / "README.md").write_text(text_of(exports["adapter"]), encoding="utf-8")
    assert Adapter().refresh_card(run.folder, folder, "", progress) and len(progress.warned) == 1


def test_a_folder_without_a_card_is_left_alone_and_a_damaged_one_is_named(run, tmp_path: Path) -> None:
    assert not Adapter().refresh_card(run.folder, tmp_path)
    assert list(tmp_path.iterdir()) == [] and read_facts(tmp_path) is None
    (tmp_path / "card.json").write_text("{")
    with pytest.raises(KathrineError, match=r"card\.json is not valid JSON"):
        Adapter().refresh_card(run.folder, tmp_path)
    (tmp_path / "card.json").write_text('{"format": 99}')
    with pytest.raises(KathrineError, match="has a format that this version does not know"):
        Adapter().refresh_card(run.folder, tmp_path)


def test_without_a_run_folder_the_card_says_that_nothing_was_measured(run, exports, tmp_path: Path) -> None:
    folder = copied(exports, "adapter", tmp_path / "copy")
    assert Adapter().refresh_card(tmp_path / "gone", folder)
    text = text_of(folder)
    assert "Nothing but the loss was measured" in text and "<audio" not in text and "curves.svg" not in text
    assert not (folder / "curves.svg").exists() and "path/to/this/folder '...'" in text


def test_writing_a_card_again_loads_no_weights(run, exports, tmp_path: Path) -> None:
    folder = copied(exports, "adapter", tmp_path / "copy")
    code = (
        "import sys\nfrom pathlib import Path\nfrom kathrine_checkpoint import Adapter\n"
        f"assert Adapter().refresh_card(Path({str(run.folder)!r}), Path({str(folder)!r}), {PLACE!r})\n"
        "print([name for name in ('torch', 'transformers', 'peft', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
