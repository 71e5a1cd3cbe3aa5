"""What is found before the first step: in `check` without a network, and by asking the Hub once."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import pytest
from hub_kit import PLUGIN, RECIPE, TOKEN, Machine
from plugin_makers import module_of
from servers.hub import run_client
from servers.hub_writes import Account, WritableHub

from kathrine.catalog import Catalog
from kathrine.components import Exporter, FinishedRun, Progress
from kathrine.errors import RecipeError
from kathrine.progress import SilentProgress
from kathrine.recipe import load_recipe
from kathrine.testing import toy_recipe
from kathrine.train.folder import RunFolder
from kathrine.train.hub_state import bring_state
from kathrine.types import ExportResult
from kathrine.workspace import Workspace
from kathrine_hub.background import Background
from kathrine_hub.options import filled, name_problem
from kathrine_hub.staging import clear, snapshot, stage_export

HUB = '[export.hub]\nrepo = "kari/norsk"\n'


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    import kathrine_hub

    made = Catalog()
    made.add(module_of(PLUGIN, tmp_path_factory.mktemp("plugin"), "hub_kit_toys"), "toys")
    made.add(kathrine_hub, "hub")
    assert not made.failures, made.failures
    return made


def problems(text: str, catalog: Catalog, folder: Path) -> list[str]:
    path = folder / "toy.toml"
    path.write_text(RECIPE + text)
    try:
        load_recipe(path, catalog=catalog)
    except RecipeError as error:
        return error.problems
    return []


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        (HUB, []),
        (HUB + 'what = ["weights", "state", "logs"]\nevery = 3\ncheckpoints = true\nbranch = "{run}"\n', []),
        (HUB.replace("kari/norsk", "norsk"), ["repo: 'norsk' is not of the form OWNER/NAME"]),
        (HUB.replace("kari/norsk", "kari/a--b"), ["repo: Cannot have -- or .. in repo_id"]),
        (
            HUB + 'what = ["wieghts", "hub"]\n',
            ["'wieghts', and the recipe has no such exporter (did you", "'hub', and"],
        ),
        (HUB + 'what = ["weights", "weights"]\n', ["what names 'weights' twice"]),
        (HUB + 'branch = "a b"\ntag = "{when}"\n', ["branch = 'a b': a branch", "unknown placeholder '{when}'"]),
        (HUB + 'branch = "{step}"\nevery = 1\nwhat = ["state"]\n', ["would scatter"]),
        (HUB + 'every = 1\nwhat = ["weights"]\n', ["name one of them in what"]),
        (HUB + "[export.table]\n", ["corpus_repo is missing: export.table makes a dataset"]),
        (HUB + 'corpus_repo = "kari/tale"\n', ["what names no exporter that makes a dataset"]),
        (HUB + 'corpus_repo = "kari/norsk"\n', ["a dataset has a repository of its own"]),
        (HUB + 'checkpoints = true\nwhat = ["state"]\n', ["it names none"]),
        (HUB + '[export.logs]\nuse = "weights"\n', ["give that exporter another label"]),
        (HUB + "private = 1\n", ["export.hub.private"]),
    ],
)
def test_check_knows_what_does_not_go_together(
    text: str, sentences: list[str], catalog: Catalog, tmp_path: Path
) -> None:
    found = problems(text, catalog, tmp_path)
    assert len(found) == len(sentences), found
    for problem, sentence in zip(found, sentences, strict=True):
        assert sentence in problem and problem.startswith("toy.toml:"), found


def test_all_problems_at_once_each_at_its_line(catalog: Catalog, tmp_path: Path) -> None:
    text = HUB + 'what = ["state", "adaptor"]\nevery = 2\n[run]\n'
    found = problems(text.replace("[run]\n", ""), catalog, tmp_path)
    line = (RECIPE + text).splitlines().index('what = ["state", "adaptor"]') + 1
    assert len(found) == 1 and found[0].startswith(f"toy.toml:{line}: export.hub: what names 'adaptor'")
    offline = RECIPE.replace('device = "cpu"', 'device = "cpu"\noffline = true').replace("keep_every = 10", "")
    (tmp_path / "toy.toml").write_text(offline + HUB + "checkpoints = true\n")
    with pytest.raises(RecipeError) as refused:
        load_recipe(tmp_path / "toy.toml", catalog=catalog)
    said = "\n".join(refused.value.problems)
    assert "run.offline = true fetches and sends nothing: set enabled = false here" in said
    assert "checkpoints uploads those that are kept for good, and none is: set train.keep_epochs" in said


def test_names_of_branches_and_tags() -> None:
    assert filled("{run}-{step}", "my run: 2", 30) == "my-run--2-30"
    assert not name_problem("v{step}") and name_problem("a/b") and name_problem("x.lock") and name_problem("{run")


TALE = {"corpus_repo": "kari/tale"}
BEFORE = """
import dataclasses, json, os, sys
from kathrine import PlannedRun, Workspace
from kathrine.catalog import Catalog
from kathrine.progress import SilentProgress
from kathrine.testing import ToyFamily
from kathrine_hub import Hub, HubOptions
catalog = Catalog.load()
Weights, Table = catalog.component("exporter", "weights"), catalog.component("exporter", "table")
told = []
for case in json.loads(sys.argv[1]):
    os.environ.pop("HF_TOKEN", None)
    os.environ.update({"HF_TOKEN": case["token"]} if case.get("token") else {})
    hub = Hub(HubOptions(**{"repo": "kari/norsk", **case.get("hub", {})}))
    others = [] if "real" in case else [Weights(Weights.Options(**case.get("weights", {})))]
    for name, options in case.get("real", {}).items():
        component = catalog.component("exporter", name)
        others.append(component(component.Options(**options)))
    others += [Table(Table.Options(**case["table"]))] if "table" in case else []
    run = {"run": {"folder": "runs/" + case.get("run", "night")}}
    sources = {name: catalog.component("source", name)() for name in case.get("sources", ["npsc", "librivox"])}
    codes = case.get("codes", ["no", "nb"])
    plan = PlannedRun("toy", run, Workspace.default(), ToyFamily(), "norwegian", sources, [*others, hub], codes)
    progress = SilentProgress()
    told.append([*hub.before_run(plan, progress), *(f"warning: {line}" for line in progress.warned)])
print(json.dumps(told))
"""


def test_the_hub_is_asked_before_the_first_step(tmp_path: Path) -> None:
    with WritableHub(tmp_path / "stored") as hub:
        hub.accounts[TOKEN] = Account("kari", orgs={"stortinget": "read", "studio": "write"})
        hub.accounts["hf_read"] = Account("kari", role="read")
        scope = {"entity": {"type": "model", "name": "kari/norsk"}, "permissions": ["repo.write"]}
        hub.accounts["hf_fine"] = Account("kari", role="fineGrained", scoped=[scope])
        (tmp_path / "empty").mkdir()
        hub.add("kari/open", tmp_path / "empty", kind="models")
        hub.add("kari/tagged", tmp_path / "empty", kind="models")
        hub.repositories["models", "kari/tagged"].private = True
        hub.repositories["models", "kari/tagged"].tags["night"] = hub.repositories["models", "kari/tagged"].revisions[
            "main"
        ]
        cases: list[tuple[dict, list[str]]] = [
            ({"token": TOKEN}, []),
            ({"token": TOKEN, "hub": {"repo": "studio/norsk"}}, []),
            ({"token": "hf_fine"}, []),
            ({"token": "hf_fine", "hub": {"repo": "kari/other"}}, ["token that is logged in may not write to kari"]),
            ({}, ["nobody is logged in to the Hub; `hf auth login` with a token that may write"]),
            ({"token": "hf_unknown"}, ["the Hub does not know the token"]),
            ({"token": "hf_read"}, ["the token that is logged in may not write to kari"]),
            ({"token": TOKEN, "hub": {"repo": "stortinget/x"}}, ["kari may not write to stortinget"]),
            (
                {"token": "hf_read", "hub": {"repo": "olav/x"}},
                ["repo: kari may not write to olav; the token that is logged in may not write to olav; push to one"],
            ),
            ({"token": TOKEN, "hub": {"repo": "kari/open"}}, ["repo: kari/open exists and is public"]),
            ({"token": TOKEN, "hub": {"repo": "kari/open", "private": False}}, []),
            ({"token": TOKEN, "hub": {"repo": "kari/tagged", "tag": "night"}}, ["has 'night' already"]),
            (
                {"token": TOKEN, "weights": {"base_model": ""}},
                ["export.weights: the card has no base_model: "],
            ),
            ({"token": TOKEN, "weights": {"license": "beer"}}, ["license 'beer' is not known"]),
            ({"token": TOKEN, "weights": {"card": "datasets"}}, ["warning: export.weights: the card has no datasets"]),
            ({"token": TOKEN, "weights": {"card": "none"}}, []),
            (
                {"weights": {"base_model": ""}, "hub": {"corpus_repo": "kari/tale"}, "table": {"card": "tags"}},
                [
                    "export.weights: the card has no base_model",
                    "export.table: the card has no tags",
                    "nobody is logged in",
                ],
            ),
            # kathrine's own exporters; their sources are of the Hub
            ({"token": TOKEN, "real": {"adapter": {}, "merged": {}, "corpus": {}}, "hub": TALE}, []),
            (
                {"token": TOKEN, "real": {"adapter": {"license": "beer"}, "merged": {"languages": ["nynorsk"]}}},
                [
                    "export.adapter: the Hub does not take its card: license 'beer' is not known",
                    "export.merged: the Hub does not take its card: language 'nynorsk' is no ISO 639 code",
                ],
            ),
            (
                {"token": TOKEN, "real": {"merged": {}, "corpus": {}}, "hub": TALE, "codes": [], "sources": []},
                [
                    "export.merged: the card has no language: set `languages` of the export",
                    "export.corpus: the card has no language",
                    "warning: export.merged: the card has no datasets",
                ],
            ),
        ]
        machine = Machine(tmp_path / "machine", hub, token="")
        done = run_client(BEFORE, machine.environment, json.dumps([case for case, _ in cases]))
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout.splitlines()[-1])
        for (case, sentences), found in zip(cases, told, strict=True):
            assert len(found) == len(sentences), (case, found)
            for problem, sentence in zip(found, sentences, strict=True):
                assert sentence in problem, (case, found)
        asked = [request.path for request in hub.log if request.path == "/api/whoami-v2"]
        assert len(asked) == len([case for case, _ in cases if case.get("token")])
        assert not any(kind == "models" and name == "kari/norsk" for kind, name in hub.repositories)  # nothing is made
        away = [{"token": TOKEN}]
        hub.away = 10**6
        done = run_client(BEFORE, machine.environment, json.dumps(away))
        assert "kari/norsk could not be written" in done.stdout and "kathrine push RUN" in done.stdout
        offline = run_client(BEFORE, {**machine.environment, "HF_HUB_OFFLINE": "1"}, json.dumps(away))
        assert "HF_HUB_OFFLINE is set, so nothing can be uploaded" in offline.stdout


def test_the_background_counts_checkpoints_and_leaves_out_what_comes_too_soon(tmp_path: Path) -> None:
    go, seen = threading.Event(), []
    progress = SilentProgress()

    def upload(run: Path, step: int) -> None:
        go.wait(10)
        seen.append(step)
        if step == 4:
            raise RuntimeError("with a secret")

    work = Background(upload, 2, progress)
    assert not work.due() and work.due()
    work.start(tmp_path, 2)
    assert not work.due() and not work.due() and work.busy  # the second one was due, but one is under way
    go.set()
    work.wait()
    assert progress.tasks == ["waiting for the upload of step 2"] and work.done == [2]
    assert not work.due() and work.due()
    work.start(tmp_path, 4)
    work.wait()
    assert "RuntimeError in the upload" in progress.warned[0] and "secret" not in progress.warned[0]


def test_a_checkpoint_that_is_removed_meanwhile_stays_in_the_snapshot(tmp_path: Path) -> None:
    kept = tmp_path / "checkpoints" / "00000005"
    kept.mkdir(parents=True)
    (kept / "trainable.safetensors").write_bytes(b"t" * 2**21)
    (kept / "state.json").write_text(json.dumps({"step": 5, "reasons": ["last"], "state": {}}))
    (tmp_path / "metrics.jsonl").write_text("one\n")
    snapshot(tmp_path, tmp_path / ".hub" / "snapshot")
    there = tmp_path / ".hub" / "snapshot"
    linked = there / "checkpoints" / "00000005" / "trainable.safetensors"
    assert linked.stat().st_nlink == 2  # no second copy of what is large
    shutil.rmtree(kept)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write("two\n")
    assert linked.read_bytes() == b"t" * 2**21 and (there / "metrics.jsonl").read_text() == "one\n"
    clear(tmp_path)
    assert not (tmp_path / ".hub").exists()


def test_a_card_that_was_edited_by_hand_is_told_by_its_own_name(tmp_path: Path) -> None:
    class Edited(Exporter):
        name = "edited"

        def refresh_card(self, run: Path, folder: Path, location: str = "", progress: Progress | None = None) -> bool:
            assert progress is not None and (folder / "README.md").read_text() == "mine"
            progress.warn(f"{folder / 'README.md'} was edited by hand")
            return False

        def export(self, run: FinishedRun, folder: Path, progress: Progress) -> ExportResult:
            raise NotImplementedError

    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "README.md").write_text("mine")
    progress = SilentProgress()
    stage_export(Edited(), tmp_path, tmp_path / "made", tmp_path / "copy", "", progress)
    assert progress.warned == [f"{tmp_path / 'made' / 'README.md'} was edited by hand"]
    assert (tmp_path / "copy" / "README.md").read_text() == "mine"


def test_other_processes_wait_for_the_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, folder = toy_recipe(tmp_path / "run"), RunFolder(tmp_path / "run")
    monkeypatch.setenv("RANK", "1")

    def arrives() -> None:
        folder.path.mkdir()
        folder.recipe.write_text("")

    timer = threading.Timer(0.3, arrives)
    timer.start()
    bring_state("hub:kari/norsk", recipe, folder, Workspace(tmp_path / "ws"), SilentProgress())
    assert folder.recipe.is_file()
