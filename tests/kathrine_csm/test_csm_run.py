"""A whole run of the shipped recipe on the embedded model, and all that is done with it, as a person types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tiny_csm import TINY, folder, official_model, with_csm, workspace

from kathrine.catalog import Catalog
from kathrine.cli.main import run as kathrine
from kathrine.datafiles import bundled_sample

RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "csm.toml"
SHORT = ("train.epochs=1", "data.npsc.max_hours=0.01", "speak.count=1", "speak.max_seconds=0.8", "validation.every=50")


@pytest.fixture(scope="module", autouse=True)
def installed():
    catalog = with_csm()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Catalog, "load", classmethod(lambda cls: catalog))
        patch.setenv("KATHRINE_WORKSPACE", str(workspace().root))
        yield


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def typed(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    capsys.readouterr()
    code = kathrine(list(words))
    captured = capsys.readouterr()
    return code, captured.out + captured.err


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, installed) -> Path:
    """The folder of a run of `recipes/csm.toml --profile smoke`, a little shorter, with a merged export."""
    place = tmp_path_factory.mktemp("csm") / "run"
    sets = [word for text in (*SHORT, 'export.merged.dtype="fp32"') for word in ("--set", text)]
    assert kathrine(["run", str(RECIPE), "--profile", "smoke", "--folder", str(place), *sets]) == 0
    return place


def test_check_tells_the_plan(capsys):
    code, said = typed(capsys, "check", str(RECIPE))
    assert code == 0
    assert "model csm (sesame/csm-1b)" in said and "text_embedding" in said
    assert "the model has 1,552,791,552" in said
    assert "prompts: plain + whole 30%, in_context + whole 70%, language tag 0%, auto 100%" in said
    assert "counts as" not in said


def test_check_tells_what_a_share_counts_as(capsys):
    code, said = typed(capsys, "check", str(RECIPE), "--set", "prompt.streamed=0.5", "--set", "prompt.language_tag=0.9")
    assert code == 0
    assert "csm has the text in front of the frames only: prompt.streamed = 0.5 counts as 0" in said
    assert "csm has no language tags: prompt.language_tag = 0.9 counts as 0, every prompt is auto" in said


def test_check_refuses_what_belongs_to_another_model(capsys):
    code, said = typed(capsys, "check", str(RECIPE), "--set", "strategy.text_projection.enabled=true")
    assert code == 2 and "has no part 'text_projection'; its parts: text_embedding, codec_embedding" in said
    code, said = typed(capsys, "check", str(RECIPE), "--set", "strategy.language_tag.lr=1e-3")
    assert code == 2 and "strategy.language_tag: prompts of csm can not name a language" in said
    code, said = typed(capsys, "check", str(RECIPE), "--set", "model.qwen3_tts.enabled=true")
    assert code == 2 and "set enabled = false in one" in said


def test_it_trains_speaks_and_exports(trained: Path):
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    steps = [line for line in lines if line["kind"] == "step"]
    assert steps and all(line["layout.whole"] == line["examples"] for line in steps)
    assert all(line["form.plain"] + line["form.in_context"] == line["examples"] for line in steps)
    assert sum(line["form.in_context"] for line in steps) > 0
    assert all(line["language.auto"] == line["examples"] for line in steps)
    log = (trained / "console.log").read_text()
    assert "self-test passed: input_rows, talker_teacher_forced" in log
    assert "test sentences are spoken in the voice of npsc/" in log and "(held out)" in log
    assert (trained / "samples" / "reference.wav").is_file()
    told = (trained / "metrics.jsonl").read_text()
    assert "validation.form.in_context.talker" in told and "form.speaker" not in told and "streamed" not in told


def test_the_exports_are_what_the_run_has(trained: Path):
    adapter = trained / "export" / "adapter"
    note = json.loads((adapter / "manifest.json").read_text())
    assert note["checks"]["difference"] == pytest.approx(0, abs=1e-6)
    assert note["trained"] == ["embed_text_tokens.weight"] and note["base"]["checkpoint"] == TINY
    assert not (adapter / "text_projection.bin").exists()
    merged = official_model(trained / "export" / "merged")
    before = official_model(folder())
    changed = {
        name
        for (name, value), other in zip(merged.named_parameters(), before.parameters(), strict=True)
        if not torch.equal(value, other)
    }
    assert "embed_text_tokens.weight" in changed
    assert all("_proj" in name and name.startswith("backbone_model") for name in changed - {"embed_text_tokens.weight"})
    assert len(changed) == 1 + 3 * 7


def test_a_run_speaks_in_the_voice_of_a_held_out_utterance(trained: Path, capsys):
    code, said = typed(capsys, "speak", str(trained), "Hei.", "--max-seconds", "0.8", "--out", "a", "--greedy")
    assert code in (0, 1) and Path("a/01.wav").is_file()
    assert "voice: npsc/" in said and "(validation)" in said and "text whole" in said
    assert "--text-layout" not in said  # no advice to use a layout that there is not


def test_an_adapter_speaks_with_a_recording_and_its_text(trained: Path, capsys):
    recording = sorted((bundled_sample("nb-librivox") / "data").glob("*.mp3"))[0]
    adapter = str(trained / "export" / "adapter")
    words = ("speak", adapter, "Hei.", "--max-seconds", "0.8", "--out", "b", "--reference", str(recording))
    code, said = typed(capsys, *words)
    assert code == 2 and "takes a voice from a recording together with what is said in it" in said
    assert "--reference-text" in said
    code, said = typed(capsys, *words, "--reference-text", "Dette er en bok.")
    assert code in (0, 1) and f"voice: {recording}" in said and Path("b/01.wav").is_file()


def test_the_model_alone_speaks_without_a_voice(capsys):
    code, said = typed(capsys, "speak", TINY, "Hei.", "--max-seconds", "0.5", "--out", "c")
    assert code in (0, 1) and "voice: the model's own" in said
    code, said = typed(capsys, "speak", TINY, "Hei.", "--text-layout", "streamed")
    assert code == 2 and "has no text layout 'streamed'" in said and "it has whole" in said
    code, said = typed(capsys, "speak", TINY, "Hei.", "--language", "norwegian")
    assert code == 2 and "no language tag for 'norwegian'" in said


def test_inspect_shows_the_tree_the_census_and_the_self_test(trained: Path, capsys):
    code, said = typed(capsys, "inspect", TINY, "--tree")
    assert code == 0
    for words in ("backbone_model", "depth_decoder", "201,920", "sub_talker_head", "self-test: pass"):
        assert words in said
    code, said = typed(capsys, "inspect", str(trained), "--no-self-test")
    assert code == 0 and "lora: +12,288" in said and "text_embedding:" in said


def test_an_evaluation_speaks_in_voices_of_the_run(trained: Path, capsys):
    words = ("evaluate", str(trained), "--limit", "1", "--seeds", "1", "--max-seconds", "0.8", "--voices", "1")
    metrics = ("--metric", "signal", "--metric", "similarity", "--metric-option", "similarity.model=own")
    code, said = typed(capsys, *words, *metrics, "--out", "e")
    assert code == 0 and "voices: npsc/" in said and ", held out)" in said
    assert "similarity: skipped: the spoken model has no speaker encoder of its own" in said
    assert list(Path("e/prompts").glob("npsc-*.wav"))
