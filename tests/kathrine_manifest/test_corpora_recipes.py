"""The recipes for own recordings and for published corpora: valid, commented, and right about the layouts."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import layouts
import numpy as np
import published
import pytest
import soundfile
import source_client
from layouts import TEXTS, write_lines
from servers.hub import Hub

from kathrine.components import SourceContext
from kathrine.errors import RecipeError
from kathrine.progress import SilentProgress
from kathrine.recipe import load_recipe
from kathrine.recipe.folders import builtin_folder
from kathrine.recipe.plan import make_plan
from kathrine.types import Utterance
from kathrine.workspace import Workspace

FOLDER = builtin_folder() / "corpora"
RECIPES = sorted(FOLDER.glob("*.toml"))
LOCAL = {"common_voice", "nst_synthesis"}
"""Corpora that are downloaded by hand: the recipe has to be told where."""


def test_all_five_are_there() -> None:
    assert {path.stem for path in RECIPES} == {"common_voice", "fleurs", "nb_samtale", "nst", "nst_synthesis"}


@pytest.mark.parametrize("profile", [None, "smoke"])
@pytest.mark.parametrize("path", RECIPES, ids=[path.stem for path in RECIPES])
def test_a_recipe_is_valid_in_each_profile_and_repeats_itself(path: Path, profile: str | None, tmp_path: Path) -> None:
    sets = [f"data.{path.stem}.path={tmp_path}"] if path.stem in LOCAL and profile is None else []
    workspace = Workspace(tmp_path / "workspace")
    recipe = load_recipe(f"kathrine:corpora/{path.stem}", profile, sets, workspace=workspace)
    assert [entry.name for entry in recipe.data] == [path.stem]
    assert make_plan(recipe, workspace).trained
    saved = tmp_path / "recipe.toml"
    saved.write_text(recipe.toml(), encoding="utf-8")
    assert load_recipe(saved).document == recipe.document


@pytest.mark.parametrize("path", RECIPES, ids=[path.stem for path in RECIPES])
def test_every_key_is_commented_and_the_licence_is_named(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "Licence: " in text.split("extends")[0]
    body = text.split("[[profile.smoke")[0]
    plain = r"(name|source|extends|licence) = "
    bare = [line for line in body.splitlines() if "=" in line and "#" not in line and not re.match(plain, line)]
    assert not bare


@pytest.mark.parametrize("name", sorted(LOCAL))
def test_a_corpus_that_is_not_there_is_refused_with_its_place(name: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=rf"data.{name}: path: .*corpora/.* does not exist") as error:
        load_recipe(f"kathrine:corpora/{name}", workspace=Workspace(tmp_path))
    assert error.value.message.startswith("1 problem ")  # said once


def utterances(recipe: Any, work: Path, progress: SilentProgress) -> list[Utterance]:
    """What the one entry of a recipe gives."""
    (entry,) = recipe.data
    workspace = Workspace(work)
    context = SourceContext(workspace.folder("sources", "manifest"), workspace, progress, 1, entry.table.max_hours)
    entry.source.prepare(context)
    return list(entry.source.utterances(context))


def test_own_recordings_are_named_on_the_command_line(tmp_path: Path) -> None:
    top = layouts.pairs(tmp_path / "mine")
    recipe = load_recipe("kathrine:own", None, [f"data.own.path={top}"], workspace=Workspace(tmp_path / "ws"))
    progress = SilentProgress()
    found = utterances(recipe, tmp_path / "ws", progress)
    assert {u.speaker for u in found} == {"kari", "ola"} and {u.language for u in found} == {"nb"}
    assert progress.said[0].startswith("own: recordings with a text file each: 4 of 4")


def test_common_voice_holds_out_people(tmp_path: Path) -> None:
    top = layouts.common_voice(tmp_path / "nb-NO")
    sets = [f"data.common_voice.path={top}"]
    recipe = load_recipe("kathrine:corpora/common_voice", None, sets, workspace=Workspace(tmp_path / "ws"))
    progress = SilentProgress()
    found = utterances(recipe, tmp_path / "ws", progress)
    assert [(u.id, u.split, u.language) for u in found] == [
        ("common_voice_0", "train", "nb"),
        ("common_voice_1", "train", "nb"),
        ("common_voice_2", "validation", "nb"),
    ]
    assert "2 left out by max_down_votes" in progress.said[0]


def from_hub(name: str, tmp_path: Path, hub: Hub, **more: Any) -> dict:
    """What the recipe's entry gives through the real client."""
    entry = tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))["data"][1]
    kernel = {"name", "source", "max_hours", "speaker_cap_minutes"}
    options = {key: value for key, value in entry.items() if key not in kernel} | more
    wishes = {"max_hours": entry["max_hours"]}
    environment = hub.environment(tmp_path / "home")
    return source_client.ask_hub(
        environment, "kathrine_manifest.source:Manifest", options, tmp_path / "workspace", wishes
    )


def test_nb_samtale_through_the_real_client(tmp_path: Path) -> None:
    with Hub() as hub:
        hub.add("Sprakbanken/nb_samtale", published.nb_samtale(tmp_path / "top"))
        told = from_hub("nb_samtale", tmp_path, hub)
        assert [one["texts"] for one in told["utterances"] if one["split"] == "train"] == [
            {"text": f"øh {TEXTS[0]}", "orthographic": TEXTS[0]},
            {"text": f"øh {TEXTS[2]}", "orthographic": TEXTS[2]},
        ]
        assert told["warned"] == [] and {one["facts"]["licence"] for one in told["utterances"]} == {"cc0-1.0"}
        assert not [name for name in hub.fetched() if "_nn_" in name or name.endswith(".py")]


def test_nst_through_the_real_client(tmp_path: Path) -> None:
    with Hub() as hub:
        hub.add("NbAiLab/NST", published.nst(tmp_path / "top"))
        told = from_hub("nst", tmp_path, hub)
        assert [(one["texts"]["text"], one["speaker"]) for one in told["utterances"]] == [
            (TEXTS[0], "#1"),
            (TEXTS[1], "#1"),
            (TEXTS[0], "#2"),
            (TEXTS[1], "#2"),
        ]
        assert not [name for name in hub.fetched() if "distant" in name or "/test/" in name or name.endswith(".py")]


def test_fleurs_through_the_real_client(tmp_path: Path) -> None:
    (tmp_path / "main").mkdir()
    published.fleurs(tmp_path / "main", tmp_path / "export")
    with Hub() as hub:
        hub.add("google/fleurs", tmp_path / "main")
        hub.add("google/fleurs", tmp_path / "export", revision="refs/convert/parquet")
        told = from_hub("fleurs", tmp_path, hub)
        assert len(told["utterances"]) == 7 and len({one["speaker"] for one in told["utterances"]}) == 7
        assert {one["texts"]["text"] for one in told["utterances"]} == set(TEXTS[:3])
        assert {Path(name).parts[0] for name in hub.fetched(".parquet")} == {"nb_no"}


def test_nsts_synthesis_corpus_is_converted_and_read(tmp_path: Path) -> None:
    folder = tmp_path / "downloaded" / "pcm" / "cs"
    write_lines(folder / "x", "")
    waves = []
    for number in range(1, 4):
        samples = np.stack([layouts.wave(number), layouts.wave(number + 9)], axis=1)
        waves.append((samples * 32767).astype(np.int16))
        waves[-1].astype(">i2").tofile(folder / f"ctts_core_cs_01_{number:04d}.pcm")
    (folder / "ctts_core_cs_01_0004.pcm").write_bytes(b"odd")
    script = folder / "SCRIPTS" / "CTTS_core.ORIGINAL"
    script.parent.mkdir()
    script.write_bytes("Blåbær  på øya.\nNå går vi.\n\nFire.\nfem\n".encode("latin-1"))
    out = tmp_path / "ready"
    command = [sys.executable, "-m", "kathrine_manifest.nst_synthesis", str(tmp_path / "downloaded"), str(out)]
    environment = {"PYTHONPATH": ":".join(sys.path), "PATH": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert "0003.pcm: no sentence" in done.stdout and "0004.pcm: 3 bytes are not whole samples" in done.stdout
    sets = [f"data.nst_synthesis.path={out}"]
    recipe = load_recipe("kathrine:corpora/nst_synthesis", None, sets, workspace=Workspace(tmp_path / "ws"))
    found = utterances(recipe, tmp_path / "ws", SilentProgress())
    assert [(u.text, u.speaker) for u in found] == [
        ("Blåbær på øya.", "nst-synthesis"),
        ("Nå går vi.", "nst-synthesis"),
    ]
    samples, rate = soundfile.read(found[1].audio, dtype="int16")
    assert rate == 44100 and np.array_equal(samples, waves[1][:, 0])
    empty = subprocess.run(
        [*command[:3], str(script.parent), str(out)], capture_output=True, text=True, env=environment
    )
    assert empty.returncode == 2 and "has no recordings such as" in empty.stderr


def test_the_smoke_profiles_read_the_bundled_sample(tmp_path: Path) -> None:
    for path in RECIPES:
        recipe = load_recipe(path, "smoke", workspace=Workspace(tmp_path / "ws"))
        assert len(utterances(recipe, tmp_path / "ws", SilentProgress())) == 26, path.stem
        assert json.loads(json.dumps(recipe.document))["run"]["offline"] is True
