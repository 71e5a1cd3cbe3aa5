"""`kathrine prepare RECIPE --push OWNER/NAME`: a prepared corpus as a dataset on the Hub, through the official client.

Private unless something else is asked for. What is there already is not sent again, so an upload that stopped goes on;
the marker of a complete corpus is written last, so half an upload is never taken for a whole one. The manifest and
the page stay here: they name files of this machine, and hold what was rejected."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kathrine.corpus.card import dataset_card
from kathrine.corpus.prepared import PreparedCorpus, file_of
from kathrine.datafiles import HUB_ID
from kathrine.errors import KathrineError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

    from kathrine.components import Progress

MARKER = "complete.json"
FILES = ["*.parquet", "facts.json"]
WRITERS = ("write", "admin", "contributor")


def check_push(repo: str, public: bool) -> None:
    """Whether the corpus may be pushed there, found out before any work.

    Raises: KathrineError where the id is none, nobody is logged in, the token or the account may not write there, or
    the dataset exists and is public though that was not asked for."""
    if not HUB_ID.fullmatch(repo):
        raise KathrineError(f"--push {repo}: that is no dataset id", "write OWNER/NAME")
    from huggingface_hub import HfApi

    api = HfApi()
    with push_errors(repo):
        refuse_unless_writable(repo, _whoami(api))
        if _is_public(api, repo) and not public:
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
    with push_errors(repo):
        api.create_repo(repo, repo_type="dataset", private=not public, exist_ok=True)
        if public and not _is_public(api, repo):
            api.update_repo_settings(repo, repo_type="dataset", private=False)
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


def _whoami(api: HfApi) -> dict[str, Any]:
    from huggingface_hub import errors

    try:
        return api.whoami()
    except errors.LocalTokenNotFoundError as problem:
        raise KathrineError(
            "nobody is logged in to the Hub", "`hf auth login` with a token that may write"
        ) from problem
    except errors.HfHubHTTPError as problem:
        if problem.response is None or problem.response.status_code not in (401, 403):
            raise
        raise KathrineError(
            "the Hub does not know the token", "`hf auth login` with a token that may write"
        ) from problem


def refuse_unless_writable(repo: str, who: dict[str, Any]) -> None:
    """Raise KathrineError where the account, or its token, may not write to a dataset of this owner."""
    owner = repo.partition("/")[0]
    roles = {org["name"]: org.get("roleInOrg", "write") for org in who.get("orgs", ())}
    may = [who["name"], *(name for name, role in roles.items() if role in WRITERS)]
    if owner not in may:
        raise KathrineError(f"{who['name']} may not write to {owner}", f"push to one of: {', '.join(may)}")
    token = who.get("auth", {}).get("accessToken", {})
    role = token.get("role", "write")
    if role == "fineGrained":
        scopes = token.get("fineGrained", {}).get("scoped", ())
        allowed = any(
            scope.get("entity", {}).get("name") in (owner, repo) and "repo.write" in scope.get("permissions", ())
            for scope in scopes
        )
        role = "write" if allowed else "read"
    if role not in WRITERS:
        raise KathrineError(
            f"the token that is logged in may not write to {owner}", "`hf auth login` with a token that may write"
        )


def _is_public(api: HfApi, repo: str) -> bool:
    from huggingface_hub import errors

    try:
        return not api.repo_info(repo, repo_type="dataset").private
    except errors.RepositoryNotFoundError:
        return False


def _fingerprint_there(api: HfApi, repo: str) -> str:
    """The fingerprint of the complete corpus that lies there, or an empty string."""
    if not api.file_exists(repo, MARKER, repo_type="dataset"):
        return ""
    path = api.hf_hub_download(repo, MARKER, repo_type="dataset")
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        return str(json.load(file).get("fingerprint", ""))


@contextmanager
def push_errors(repo: str) -> Iterator[None]:
    """The client's errors as one sentence and a remedy."""
    from huggingface_hub import errors

    try:
        yield
    except (
        errors.HfHubHTTPError,
        errors.OfflineModeIsEnabled,
        errors.HTTPError,
        RuntimeError,
        OSError,
        ValueError,
    ) as problem:
        cause = problem.__cause__ or problem
        reason = (str(cause).strip() or type(cause).__name__).splitlines()[0]
        raise KathrineError(
            f"{repo} could not be written: {reason}", "run the same command again: what is there is not sent twice"
        ) from problem
