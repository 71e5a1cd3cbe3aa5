"""`kathrine prepare RECIPE --push OWNER/NAME`: a prepared corpus as a dataset on the Hub, through the official client.

Private unless something else is asked for. What is there already is not sent again, so an upload that stopped goes on;
the marker of a complete corpus is written last, so half an upload is never taken for a whole one. The manifest and
the page stay here: they name files of this machine, and hold what was rejected."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kathrine.corpus.card import dataset_card
from kathrine.corpus.prepared import PreparedCorpus, file_of
from kathrine.errors import KathrineError
from kathrine.hubwrites import is_public, logged_in, make_repository, refuse_unless_writable, repo_problem, write_errors

if TYPE_CHECKING:
    from huggingface_hub import HfApi

    from kathrine.components import Progress

MARKER = "complete.json"
FILES = ["*.parquet", "facts.json"]


def check_push(repo: str, public: bool) -> None:
    """Whether the corpus may be pushed there, found out before any work.

    Raises: KathrineError where the id is none, nobody is logged in, the token or the account may not write there, or
    the dataset exists and is public though that was not asked for."""
    problem = repo_problem(repo)
    if problem:
        raise KathrineError(f"--push {repo}: that is no dataset id: {problem}", "write OWNER/NAME")
    from huggingface_hub import HfApi

    api = HfApi()
    with write_errors(repo):
        refuse_unless_writable(repo, logged_in(api))
        if is_public(api, repo, "dataset") and not public:
            raise KathrineError(
                f"{repo} exists and is public", "say --public where everybody may have the corpus, or take another name"
            )


def push(corpus: PreparedCorpus, repo: str, public: bool, progress: Progress) -> str:
    """Upload a prepared corpus. Returns the address of the dataset. Raises: KathrineError where that fails; the same
    command then goes on where it stopped."""
    from huggingface_hub import CommitOperationAdd, HfApi

    for name, entry in corpus.facts["entries"].items():
        if not entry["licence"]:
            progress.warn(f"{name} states no licence: the card of {repo} says so")
    api = HfApi()
    with write_errors(repo):
        make_repository(api, repo, "dataset", private=not public)
        address = f"{api.endpoint}/datasets/{repo}"
        if _fingerprint_there(api, repo) == corpus.fingerprint:
            progress.say(f"{address} holds this corpus already")
            return address
        count = len(list(corpus.folder.glob("*.parquet")))
        with progress.task(f"uploading {count} files to {repo}"):
            api.upload_folder(
                repo_id=repo,
                repo_type="dataset",
                folder_path=corpus.folder,
                allow_patterns=FILES,
                delete_patterns=[*FILES, MARKER],
                commit_message=f"Corpus {corpus.fingerprint[:12]}",
            )
            card = dataset_card(corpus.facts, corpus.fingerprint, {file_of(row) for row in corpus.rows}, repo)
            api.create_commit(
                repo_id=repo,
                repo_type="dataset",
                operations=[
                    CommitOperationAdd("README.md", card.encode()),
                    CommitOperationAdd(MARKER, (corpus.folder / MARKER).read_bytes()),
                ],
                commit_message=f"Corpus {corpus.fingerprint[:12]} is complete",
            )
    progress.say(f"pushed to {address} ({'public' if public else 'private'})")
    return address


def _fingerprint_there(api: HfApi, repo: str) -> str:
    """The fingerprint of the complete corpus that lies there, or an empty string."""
    if not api.file_exists(repo, MARKER, repo_type="dataset"):
        return ""
    path = api.hf_hub_download(repo, MARKER, repo_type="dataset")
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        return str(json.load(file).get("fingerprint", ""))
