"""What would fail when a run is uploaded, found out before its first step."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from kathrine.components import Exporter, PlannedRun
from kathrine.errors import KathrineError
from kathrine.hubwrites import is_public, logged_in, refuse_unless_writable, write_errors
from kathrine_hub.options import HubOptions, filled, wanted
from kathrine_hub.upload import Target, look

if TYPE_CHECKING:
    from huggingface_hub import HfApi

LATER = "or set enabled = false in this table and upload later with `kathrine push RUN`"
FILLED = ("license", "language", "tags")
"""Fields that no card may leave empty."""
OF_MODELS = ("base_model", "pipeline_tag", "library_name")
"""Fields that no card of a model may leave empty; it also says which `datasets` it knows of, which may be none."""


def late_problems(options: HubOptions, label: str, plan: PlannedRun) -> Iterator[str]:
    """Sentences about everything that would fail after training; asks the Hub who is logged in, once, and for each
    repository and card."""
    from huggingface_hub import HfApi

    from kathrine.hubfiles import client_is_offline

    asked = wanted(options, list(plan.exporters))
    exporters = [one for one in plan.exporters if one.label in asked]
    for exporter in exporters:
        yield from local_card_problems(exporter, plan)
    if client_is_offline():
        yield f"HF_HUB_OFFLINE is set, so nothing can be uploaded: unset it, {LATER}"
        return
    api = HfApi()
    try:
        with write_errors(options.repo, LATER):
            who = logged_in(api)
            for repo, kind in repositories(options):
                yield from repository_problems(api, who, repo, kind, options)
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


def repository_problems(api: HfApi, who: dict[str, Any], repo: str, kind: str, options: HubOptions) -> Iterator[str]:
    """Whether this account may write there, and nothing private would be shown to everybody."""
    try:
        refuse_unless_writable(repo, who)
    except KathrineError as error:
        yield error.sentence
        return
    if options.private and is_public(api, repo, kind):
        yield f"{repo} exists and is public: take another name, or set private = false where everybody may see it"


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
    from pathlib import Path

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


# --------------------------------------------------------------------------- cards


def front_matter(exporter: Exporter, plan: PlannedRun) -> Mapping[str, Any] | None:
    return exporter.card_metadata(plan)


def local_card_problems(exporter: Exporter, plan: PlannedRun) -> Iterator[str]:
    """What a card lacks, in the Hub's own words."""
    try:
        told = exporter.card_metadata(plan)
    except KathrineError as error:
        yield f"the card of export.{exporter.label}: {error.sentence}"
        return
    if told is None:
        return
    model = exporter.holds == "model"
    for name in (*FILLED, *(OF_MODELS if model else ())):
        if name not in told:
            yield card_sentence(exporter, f'"{name}" is required')
        elif not told[name]:
            yield card_sentence(exporter, f'"{name}" is not allowed to be empty')
    if model and "datasets" not in told:
        yield card_sentence(exporter, '"datasets" is required')


def card_sentence(exporter: Exporter, message: str) -> str:
    return f"the card of export.{exporter.label}: {message}; its options in [export.{exporter.label}] say what it tells"


def hub_card_problems(exporter: Exporter, plan: PlannedRun) -> Iterator[str]:
    """What the Hub itself says of a card, beside what `local_card_problems` says."""
    import yaml
    from huggingface_hub import ModelCard

    try:
        told = exporter.card_metadata(plan)
    except KathrineError:
        return  # said already
    if told is None:
        return
    known = set(local_card_problems(exporter, plan))
    text = yaml.safe_dump(dict(told), allow_unicode=True, sort_keys=False)
    try:
        ModelCard(f"---\n{text}---\n").validate(repo_type=exporter.holds)
    except ValueError as problem:
        for message in messages(str(problem)):
            sentence = card_sentence(exporter, message)
            if sentence not in known:
                yield sentence


def messages(answer: str) -> list[str]:
    """The sentences of a refusal of `validate-yaml`."""
    try:
        found = [str(one.get("message", one)) for one in json.loads(answer).get("errors", [])]
    except (ValueError, AttributeError):
        found = []
    return found or [answer.strip().splitlines()[0] if answer.strip() else "the Hub refuses it"]
