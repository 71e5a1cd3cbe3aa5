"""Options of `[export.hub]`, and what of them can be judged without a network."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydantic import Field

from kathrine.components import Exporter, Options, RecipeAround
from kathrine.hublayout import CHECKPOINTS, LOGS, STATE
from kathrine.hubwrites import repo_problem
from kathrine.suggest import did_you_mean, listing

PLACEHOLDERS = ("run", "step")
OWN = (STATE, LOGS)
"""What can be uploaded besides the folders of other exporters."""
REVISION = re.compile(r"[A-Za-z0-9_][\w.-]*")
"""What `hub:OWNER/NAME@REVISION` can name."""


class HubOptions(Options):
    """Where a run's results go, and which."""

    repo: str
    """Repository to upload to, `OWNER/NAME`; made where there is none."""
    what: list[str] = Field(default_factory=list)
    """Labels of other exporters, the first one at the root of the repository; also `state` (to go on elsewhere) and
    `logs`. Empty takes every other exporter of the recipe."""
    private: bool = True
    """Only whoever may read the account's private repositories sees it; false makes it public."""
    branch: str = ""
    """Branch to upload to, empty for main; `{run}` and `{step}` stand for the run's name and the step."""
    tag: str = ""
    """Tag set on the finished upload; `{run}` and `{step}` as above. Empty sets none."""
    checkpoints: bool = False
    """Also upload the checkpoints that are kept for good (train.keep_epochs, train.keep_every), as the first exporter
    of `what` writes them: checkpoints/epoch_N, checkpoints/step_N."""
    every: int = Field(default=0, ge=0)
    """Upload `state` and `logs`, those of them that `what` names, after every N-th checkpoint while the run goes on; 0
    uploads at the end only."""
    corpus_repo: str = ""
    """Dataset repository, `OWNER/NAME`, for an exporter of `what` that makes a dataset."""


def own_problems(options: HubOptions) -> Iterator[str]:
    """Sentences about options by themselves."""
    for name in ("repo", "corpus_repo"):
        value = getattr(options, name)
        problem = repo_problem(value) if value or name == "repo" else ""
        if problem:
            yield f"{name}: {problem}"
    if options.corpus_repo and options.corpus_repo == options.repo:
        yield "corpus_repo is the same as repo: a dataset has a repository of its own"
    for name in sorted({name for name in options.what if options.what.count(name) > 1}):
        yield f"what names '{name}' twice"
    for name in ("branch", "tag"):
        value = getattr(options, name)
        problem = name_problem(value) if value else ""
        if problem:
            yield f"{name} = {value!r}: {problem}"
    if options.every and "{step}" in options.branch:
        yield "branch with {step} would scatter what is uploaded while training: use {step} in tag"
    if options.every and options.what and not set(OWN) & set(options.what):
        yield "every uploads state and logs while the run goes on: name one of them in what"


def name_problem(value: str) -> str:
    """What is wrong with the name of a branch or tag, or an empty string."""
    for name in re.findall(r"\{([^{}]*)\}", value):
        if name not in PLACEHOLDERS:
            return f"unknown placeholder '{{{name}}}'; there are {{run}} and {{step}}"
    if not REVISION.fullmatch(filled(value, "run", 1)) or ".." in value or value.endswith((".", ".lock")):
        return "a branch or tag has letters, digits, '-', '_' and '.'"
    return ""


def filled(value: str, run: str, step: int) -> str:
    """A branch's or tag's name for a run; what a run's name has and a branch may not becomes '-'."""
    safe = re.sub(r"\.{2,}", ".", re.sub(r"[^\w.-]", "-", run, flags=re.ASCII)).strip(".-")
    return value.replace("{run}", safe or "run").replace("{step}", str(step))


def wanted(options: HubOptions, exporters: list[Exporter]) -> list[str]:
    """What is to be uploaded, by label."""
    return list(options.what) or [one.label for one in exporters if not one.publishes]


def around_problems(options: HubOptions, label: str, around: RecipeAround) -> Iterator[str]:
    """Sentences about options that do not go with the rest of the recipe."""
    publishing = {one.label for one in around.exporters if one.publishes} | {label}
    known = [name for name in around.labels if name not in publishing]
    for name in options.what:
        if name not in (*known, *OWN):
            guess = did_you_mean(name, [*known, *OWN]) or f"; there are {listing([*known, *OWN])}"
            yield f"what names '{name}', and the recipe has no such exporter{guess}"
    for name in known:
        if name in (*OWN, CHECKPOINTS):
            yield f"what can not tell export.{name} from its own '{name}': give that exporter another label"
    asked = wanted(options, list(around.exporters))
    if not asked:
        yield f'what is there to upload? Add another exporter, or what = ["{STATE}", "{LOGS}"]'
    by_label = {one.label: one for one in around.exporters}
    datasets = [name for name in asked if name in by_label and by_label[name].holds == "dataset"]
    if datasets and not options.corpus_repo:
        yield f'corpus_repo is missing: export.{datasets[0]} makes a dataset; set corpus_repo = "OWNER/NAME"'
    if len(datasets) > 1:
        yield f"what names {len(datasets)} datasets, and corpus_repo is for one: use the exporter hub twice"
    if options.corpus_repo and not datasets:
        yield "corpus_repo is set, and what names no exporter that makes a dataset"
    run, train = around.tables.get("run"), around.tables.get("train")
    if run is not None and run.offline:
        yield (
            "run.offline = true fetches and sends nothing: set enabled = false here, in the profile where that is said "
            f"(`[profile.NAME.export.{label}]`)"
        )
    if options.checkpoints and train is not None and not train.keep_epochs and not train.keep_every:
        yield "checkpoints uploads those that are kept for good, and none is: set train.keep_epochs or train.keep_every"
    models = [name for name in asked if name not in OWN and name not in datasets]
    if options.checkpoints and not models:
        yield "checkpoints are written by the first model exporter that what names, and it names none"
