"""One upload of a run, from its folder: what `export.hub`, its background and `kathrine push` share."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kathrine.components import Exporter, Progress
from kathrine.errors import KathrineError
from kathrine.hublayout import CHECKPOINTS
from kathrine.hubwrites import logged_in, make_repository, refuse_unless_writable, write_errors
from kathrine.shell import environment, program
from kathrine.workspace import Workspace
from kathrine_hub.checks import repositories, tag_there
from kathrine_hub.options import OWN, HubOptions, filled
from kathrine_hub.staging import PLACE, Layout, arrange, stage, staging
from kathrine_hub.upload import Target, look, upload

if TYPE_CHECKING:
    from huggingface_hub import HfApi


@dataclass(frozen=True)
class Wish:
    """What is to be uploaded.

    run: the run's folder, or a snapshot of it. name: the run's. label: of the exporter `hub`. exporters: of the recipe.
    what: labels, and `state`, `logs`. step: of the weights. complete: all that the recipe wants is in `what`, so that
    what else of kathrine lies there is removed. tag: whether to set the tag.
    """

    run: Path
    name: str
    label: str
    options: HubOptions
    exporters: Sequence[Exporter]
    what: Sequence[str]
    step: int
    workspace: Workspace
    complete: bool = False
    tag: bool = False

    @property
    def folder(self) -> Path:
        """The run's folder, of which this may be a snapshot."""
        return self.run.parent.parent if self.run.parent.name == PLACE else self.run

    @property
    def own(self) -> Path:
        """The exporter's own folder in the run."""
        return self.run / "export" / self.label


@dataclass(frozen=True)
class Published:
    """What came of an upload. address: for people. commit: on the branch. files: sent or removed; 0 where all of it
    was there."""

    address: str
    commit: str
    files: int


def push_line(run: Path) -> str:
    """The command that uploads what a run folder holds."""
    return f"{environment()}{program()} push {shlex.quote(str(run))}"


def publish(wish: Wish, progress: Progress) -> Published:
    """Upload, set the tag, and say where it lies.

    Raises: KathrineError, with the command that goes on; what was sent is not sent again.
    """
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()  # the client's own would draw over kathrine's
    options = wish.options
    by_label = {one.label: one for one in wish.exporters}
    models = [name for name in wish.what if name not in OWN and by_label[name].holds == "model"]
    datasets = [name for name in wish.what if name not in OWN and by_label[name].holds == "dataset"]
    own = [name for name in wish.what if name in OWN]
    branch = filled(options.branch, wish.name, wish.step) or "main"
    for label in datasets:
        target = Target(options.corpus_repo, "dataset", "main")
        part(wish, target, Layout(label), progress, f"{label}-", by_label)
    target = Target(options.repo, "model", branch)
    earlier = (wish.own / CHECKPOINTS).is_dir() and options.checkpoints and wish.complete
    done = part(wish, target, arrange(models, own, earlier), progress, "", by_label)
    if wish.tag and options.tag:
        with write_errors(options.repo, push_line(wish.folder)):
            set_tag(wish, done.commit, progress)
    return done


def part(
    wish: Wish, target: Target, layout: Layout, progress: Progress, name: str, by_label: dict[str, Exporter]
) -> Published:
    """Upload to one repository."""
    from huggingface_hub import HfApi

    api, cache = HfApi(), wish.workspace.hub
    with write_errors(target.repo, push_line(wish.folder)):
        make_branch(api, target, wish.options.private)
        there = look(api, target, cache)
        if not wish.complete and there.index.get("root") and layout.root not in ("", there.index["root"]):
            labels = [layout.root, *(label for label, what in layout.folders.items() if what == "export")]
            layout = arrange(labels, [one for one in layout.folders if one in OWN], False, there.index["root"])
        with staging(wish.run, f"{name}upload") as tree:
            stage(layout, wish.run, wish.own, by_label, tree, target.location, progress)
            what = ", ".join([layout.root, *layout.folders] if layout.root else layout.folders)
            message = f"{wish.name}, step {wish.step}: {what}"
            commit, files = upload(api, target, there, tree, layout, wish.name, wish.complete, message, progress)
    return Published(target.address, commit, files)


def make_branch(api: HfApi, target: Target, private: bool) -> None:
    """The repository and its branch. Raises: KathrineError where everybody would see what is meant to be private."""
    if make_repository(api, target.repo, target.kind, private) and private:
        raise KathrineError(
            f"{target.repo} is public, and private = true",
            "set private = false (or --public) where everybody may see it, or name another repository",
        )
    if target.revision != "main":
        api.create_branch(target.repo, branch=target.revision, repo_type=target.kind, exist_ok=True)


def set_tag(wish: Wish, commit: str, progress: Progress) -> None:
    """Tag an upload. A tag of this run moves; one of something else is left, and said."""
    from huggingface_hub import HfApi

    api, repo = HfApi(), wish.options.repo
    tag = filled(wish.options.tag, wish.name, wish.step)
    before = tag_there(api, repo, tag)
    if before == commit:
        return
    if before:
        index = look(api, Target(repo, "model", before), wish.workspace.hub).index
        if index.get("run") != wish.name:
            progress.warn(f"the tag '{tag}' of {repo} stands for something else ({before[:12]}) and is left as it is")
            return
        api.delete_tag(repo, tag=tag)
    api.create_tag(repo, tag=tag, revision=commit)


def refuse_missing(wish: Wish) -> None:
    """Raises: KathrineError for an export that is not on disk."""
    missing = [name for name in wish.what if name not in OWN and not (wish.run / "export" / name).is_dir()]
    if missing:
        raise KathrineError(
            f"{wish.run} has no export/{' and no export/'.join(missing)}",
            "the run has to come to its exports first: go on with --resume, or upload what is there with --what",
        )


def refuse_unwritable(wish: Wish) -> None:
    """Raises: KathrineError where this account may not write there, before anything is laid out or sent."""
    from huggingface_hub import HfApi

    api, options = HfApi(), wish.options
    with write_errors(options.repo, push_line(wish.folder)):
        who = logged_in(api)
    for repo, _ in repositories(options):
        refuse_unless_writable(repo, who)


def step_of(run: Path) -> int:
    """The step of the weights that a run's exports were made from, else of its newest checkpoint."""
    path = run / "drift.json"
    if path.is_file():
        return int(json.loads(path.read_text(encoding="utf-8"))["step"])
    from kathrine.train.checkpoint import saved_checkpoints

    saved = saved_checkpoints(run / "checkpoints")
    return saved[-1].step if saved else 0
