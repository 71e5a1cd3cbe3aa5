"""What would fail when a run is uploaded, found out before its first step."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kathrine.components import PlannedRun, Progress
from kathrine.errors import KathrineError
from kathrine.hubwrites import is_public, logged_in, refuse_unless_writable, write_errors
from kathrine_hub.cards import hub_card_problems, local_card_problems
from kathrine_hub.options import HubOptions, filled, wanted
from kathrine_hub.upload import Target, look

if TYPE_CHECKING:
    from huggingface_hub import HfApi

LATER = "or set enabled = false in this table and upload later with `kathrine push RUN`"


def late_problems(options: HubOptions, plan: PlannedRun, progress: Progress) -> Iterator[str]:
    """Sentences about everything that would fail after training; asks the Hub who is logged in, once, and for each
    repository and card."""
    from huggingface_hub import HfApi

    from kathrine.hubfiles import client_is_offline

    asked = wanted(options, list(plan.exporters))
    exporters = [one for one in plan.exporters if one.label in asked]
    for exporter in exporters:
        yield from local_card_problems(exporter, plan, progress)
    if client_is_offline():
        yield f"HF_HUB_OFFLINE is set, so nothing can be uploaded: unset it, {LATER}"
        return
    api = HfApi()
    try:
        with write_errors(options.repo, LATER):
            who = logged_in(api)
            for repo, kind in repositories(options):
                option = "repo" if kind == "model" else "corpus_repo"
                yield from repository_problems(api, who, repo, kind, options.private, option)
            yield from tag_problems(api, options, plan)
    except KathrineError as error:
        yield error.sentence
    for exporter in exporters:
        try:
            with write_errors(options.repo, LATER):
                yield from hub_card_problems(exporter, plan)
        except KathrineError as error:
            yield error.sentence
            return


def repositories(options: HubOptions) -> list[tuple[str, str]]:
    """Ids and kinds of what is written to."""
    both = [(options.repo, "model"), (options.corpus_repo, "dataset")]
    return [(repo, kind) for repo, kind in both if repo]


def repository_problems(
    api: HfApi, who: dict[str, Any], repo: str, kind: str, private: bool, option: str
) -> Iterator[str]:
    """Whether this account may write there, and nothing private would be shown to everybody. option: which one names
    the repository."""
    try:
        refuse_unless_writable(repo, who)
    except KathrineError as error:
        yield f"{option}: {error.sentence}"
        return
    if private and is_public(api, repo, kind):
        yield f"{option}: {repo} exists and is public: take another name, or set private = false to show it"


def tag_problems(api: HfApi, options: HubOptions, plan: PlannedRun) -> Iterator[str]:
    """A tag that stands for something else already would be left as it is."""
    if not options.tag or "{step}" in options.tag:
        return
    tag = filled(options.tag, plan.name, 0)
    there = tag_there(api, options.repo, tag)
    if there and not same_run(api, options.repo, there, run_name(plan), plan):
        yield f"tag = {options.tag!r}: {options.repo} has '{tag}' already, of something else; {{run}} or {{step}} help"


def run_name(plan: PlannedRun) -> str:
    """The name by which a repository remembers a run: its folder's."""
    folder = plan.document.get("run", {}).get("folder") or ""
    return Path(folder).name or plan.name


def tag_there(api: HfApi, repo: str, tag: str) -> str:
    """The commit of a tag, or an empty string."""
    from huggingface_hub import errors

    try:
        tags = api.list_repo_refs(repo).tags
    except errors.RepositoryNotFoundError:
        return ""
    return next((one.target_commit for one in tags if one.name == tag), "")


def same_run(api: HfApi, repo: str, commit: str, run: str, plan: PlannedRun) -> bool:
    """Whether a commit is an upload of the run of this name."""
    return look(api, Target(repo, "model", commit), plan.workspace.hub).index.get("run") == run
