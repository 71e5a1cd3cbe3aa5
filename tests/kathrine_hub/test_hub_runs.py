"""Runs that upload: while they train, when they fail and when they are done; and a run that goes on elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hub_kit import REPO, TOKEN, Machine, metrics
from servers.hub_writes import Account, WritableHub

TRAINING = """
extends = "toy.toml"
[export.hub]
repo = "kari/norsk"
what = ["weights", "state", "logs"]
every = 1
checkpoints = true
tag = "{run}-{step}"
[export.after]
[track.patient]
"""
BROKEN = TRAINING + "[track.fails]\n"
LATE = """
extends = "toy.toml"
[export.hub]
repo = "kari/late"
"""


@dataclass
class Story:
    """What happened on two machines, told once for all tests."""

    hub: WritableHub
    first: Machine
    second: Machine
    codes: list[int]
    said: str
    after_failure: dict[str, bytes]
    codes_elsewhere: list[int]
    said_elsewhere: str
    commits_before_last_push: int


def contents(hub: WritableHub, name: str, revision: str = "main") -> dict[str, bytes]:
    return {file: facts.path.read_bytes() for file, facts in hub.files(name, "models", revision).items()}


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("hub")
    with WritableHub(folder / "stored") as hub:
        hub.accounts[TOKEN] = Account("kari")
        first = Machine(folder / "first", hub)
        for name, text in (("broken.toml", BROKEN), ("late.toml", LATE)):
            (first.folder / name).write_text(text)

        def first_is_there(path: str) -> None:
            if "/commit/" in path:
                hub.away, hub.on_answer = 1, None  # the second upload finds nobody

        hub.on_answer = first_is_there
        codes, said = first.run(
            ["run", "toy.toml", "--folder", "runs/plain"], ["run", "broken.toml", "--folder", "runs/night"]
        )
        after_failure = contents(hub, REPO)

        def card_is_checked(path: str) -> None:
            if path.endswith("/validate-yaml"):
                hub.away, hub.on_answer = 1, None  # away when the run is done

        hub.on_answer = card_is_checked
        second = Machine(folder / "second", hub)
        (second.folder / "training.toml").write_text(TRAINING.replace("[track.patient]", ""))
        (second.folder / "late.toml").write_text(LATE)
        late, told = second.run(
            ["run", "late.toml", "--folder", "runs/late"],
            ["push", "runs/late"],
            ["run", "training.toml", "--folder", "runs/night", "--resume", f"hub:{REPO}"],
        )
        before = len(hub.commits)
        again, more = second.run(["push", "runs/night"], ["push", "runs/late"])
        yield Story(hub, first, second, codes, said, after_failure, [*late, *again], told + more, before)


def test_a_run_uploads_while_it_trains_and_goes_on_when_the_hub_is_away(story: Story) -> None:
    assert story.codes == [0, 2], story.said
    assert story.said.count("the upload while training failed") == 1 and "the next checkpoint tries again" in story.said
    assert "the Hub is back: step 15 is uploaded" in story.said
    assert story.hub.repositories["models", REPO].private
    complete = json.loads(story.after_failure["state/complete.json"])
    assert complete["step"] == 15 and "checkpoints/00000015/trainable.safetensors" in complete["files"]
    assert "weights.safetensors" not in story.after_failure  # nothing was finished


def test_logs_of_a_failed_run_are_uploaded(story: Story) -> None:
    outcome = json.loads(story.after_failure["logs/outcome.json"])
    assert outcome["status"] == "failed" and outcome["error"] == "planted"
    assert b"saved checkpoints/00000015" in story.after_failure["logs/console.log"]
    assert len(story.after_failure["logs/metrics.jsonl"]) > len(story.after_failure["state/metrics.jsonl"])
    assert {"logs/report.html", "logs/plan.json", "logs/versions.json", "logs/timing.jsonl", "logs/recipe.toml"} <= set(
        story.after_failure
    )


def test_a_run_that_goes_on_elsewhere_has_the_same_losses(story: Story) -> None:
    assert story.codes_elsewhere[2] == 0, story.said_elsewhere
    assert f"hub:{REPO}: the state of step 15" in story.said_elsewhere
    assert "for 20 steps from step 15" in story.said_elsewhere
    plain, night = story.first.path("plain"), story.second.path("night")
    assert (plain / "metrics.jsonl").read_bytes() == (night / "metrics.jsonl").read_bytes()
    assert len([line for line in metrics(night) if line["kind"] == "step"]) == 20
    assert (plain / "export/weights/weights.safetensors").read_bytes() == (
        night / "export/weights/weights.safetensors"
    ).read_bytes()
    assert not list(night.parent.glob(".*.partial")) and not (night / ".hub" / "snapshot").exists()


def test_a_finished_run_lies_there_as_it_is_here(story: Story) -> None:
    night, there = story.second.path("night"), contents(story.hub, REPO)
    index = json.loads(there["kathrine_hub.json"])
    assert index["root"] == "weights" and set(index["folders"]) == {"state", "logs", "checkpoints"}
    assert there["weights.safetensors"] == (night / "export/weights/weights.safetensors").read_bytes()
    assert there["logs/console.log"] == (night / "console.log").read_bytes()
    assert json.loads(there["logs/outcome.json"])["status"] == "finished"
    assert json.loads(there["state/complete.json"])["step"] == 20
    kept = {name.split("/")[2] for name in there if name.startswith("state/checkpoints/")}
    assert kept == {"00000010", "00000020"}  # the one of step 15 was but the last one
    early = {name for name in there if name.startswith("checkpoints/step_10/")}
    assert "checkpoints/step_10/weights.safetensors" in early
    assert there["checkpoints/step_10/weights.safetensors"] != there["weights.safetensors"]
    assert json.loads(there["checkpoints/step_10/facts.json"]) == {"step": 10}
    assert (night / "export/after/same.json").read_text() == "true"  # going back to step 10 left no trace
    # The card was written for the place where it lies.
    assert f"src='{story.hub.url}/{REPO}/resolve/main/audio/1.wav'".encode() in there["README.md"]
    assert "src='audio/1.wav'" in (night / "export/weights/README.md").read_text()
    tags = story.hub.repositories["models", REPO].tags
    assert (
        set(tags) == {"night-20"}
        and tags["night-20"].sha == story.hub.repositories["models", REPO].revisions["main"].sha
    )


def test_an_upload_that_fails_at_the_end_leaves_the_run_finished_and_says_what_to_type(story: Story) -> None:
    assert story.codes_elsewhere[:2] == [3, 0], story.said_elsewhere
    late = story.second.path("late")
    assert json.loads((late / "outcome.json").read_text())["status"] == "finished"
    assert (late / "export/weights/weights.safetensors").is_file()
    said = story.said_elsewhere
    assert "export.hub: NOT UPLOADED" in said
    line = next(line.strip() for line in said.splitlines() if line.strip().endswith(f"push {late}"))
    assert line.startswith(f"KATHRINE_WORKSPACE={story.second.workspace} ")
    assert contents(story.hub, "kari/late")["weights.safetensors"]


def test_pushing_again_writes_nothing(story: Story) -> None:
    assert story.codes_elsewhere[3:] == [0, 0], story.said_elsewhere
    assert story.said_elsewhere.count("holds all of it already") == 2
    assert len(story.hub.commits) == story.commits_before_last_push


def test_the_token_is_nowhere(story: Story) -> None:
    for machine in (story.first, story.second):
        for path in (machine.folder / "runs").rglob("*"):
            if path.is_file():
                assert TOKEN.encode() not in path.read_bytes(), path
    assert TOKEN not in story.said + story.said_elsewhere
    assert not [name for name, content in contents(story.hub, REPO).items() if TOKEN.encode() in content]


def test_other_runs_full_folders_and_damaged_states_are_refused(story: Story) -> None:
    third = Machine(story.second.folder.parent / "third", story.hub)
    (third.folder / "other.toml").write_text('extends = "toy.toml"\n[strategy.train_all]\nlr = 0.5\n')
    empty = LATE + '[export.weights]\nbase_model = ""\n'
    (third.folder / "empty.toml").write_text(empty)
    (third.folder / "runs" / "full").mkdir(parents=True)
    (third.folder / "runs" / "full" / "mine.txt").touch()
    place = f"hub:{REPO}"
    damaged = "state/checkpoints/00000020/trainable.safetensors"
    story.hub.corrupt(damaged, times=2)
    before = len(story.hub.fetched(".safetensors"))
    codes, said = third.run(
        ["run", "other.toml", "--folder", "runs/other", "--resume", place],
        ["run", "toy.toml", "--folder", "runs/full", "--resume", place],
        ["run", "toy.toml", "--folder", "runs/new", "--resume", "hub:kari/late"],
        ["run", "toy.toml", "--folder", "runs/new", "--resume", "hub:kari/nobody"],
        ["run", "toy.toml", "--folder", "runs/new", "--resume", f"{place}@nothing"],
        ["run", "toy.toml", "--folder", "runs/new", "--resume", place, "--set", "run.offline=true"],
        ["run", "toy.toml", "--folder", "runs/new", "--resume", "hub:nonsense"],
        ["run", "--resume", "toy.toml", "--folder", "runs/new"],
        ["run", "toy.toml", "--folder", "runs/new", "--resume=nonsense"],
        ["run", "toy.toml", "--folder", "runs/damaged", "--resume", place],
        ["run", "empty.toml", "--folder", "runs/empty"],
    )
    assert codes == [2] * 11, said
    for sentence in (
        f"the recipe has changed since the run in {REPO} began",
        "runs/full is not empty: nothing is brought from the Hub",
        "kari/late holds no state of a run in state/",
        "the Hub has no kari/nobody",
        "there is no such revision",
        "can not be fetched with run.offline = true",
        "'hub:nonsense' is not of the form hub:OWNER/NAME[@REVISION][/FOLDER]",
        f"there is no run to go on with in {third.path('new')}",
        "--resume=nonsense is no place on the Hub",
        # What ended the seed's uploads after a night of training, before the first step of this one.
        "empty.toml:3: export.hub: export.weights: the card has no base_model: set `base_model` of the export",
    ):
        assert sentence in said, sentence
    assert "strategy.train_all.lr" in said and re.search(r"--set run\.offline=false", said)
    assert "training" not in said and not third.path("new").exists() and not third.path("other").exists()
    # Damaged on the way, fetched again, damaged again: refused, and never used. Nothing large was fetched before that.
    fetched = story.hub.fetched(".safetensors")[before:]
    assert "came damaged, fetching it again" in said and "trainable.safetensors is damaged: its SHA-256" in said
    assert fetched[-2:] == [damaged] * 2 and len(fetched) <= 5 and not third.path("damaged").exists()
