"""Whether the Hub lets this account read a repository, asked without fetching anything."""

from __future__ import annotations

from contextlib import suppress

from kathrine.errors import KathrineError
from kathrine.hubfiles import hub_errors


def hub_problem(repo: str, revision: str = "main", kind: str = "dataset", seconds: float = 5.0) -> str:
    """Why a repository can not be read, as a sentence with its remedy, or an empty string where the Hub lets this
    account read it.

    One HEAD of a file that every repository has: terms that were not accepted stop it as they would stop a download.
    Given: kind, `dataset` or `model`; seconds, how long to wait.
    """
    from huggingface_hub import get_hf_file_metadata, get_token, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError

    what = f"{kind} {repo}" if revision in ("", "main") else f"{kind} {repo}@{revision}"
    url = hf_hub_url(repo, ".gitattributes", repo_type=kind, revision=revision or None)
    try:
        with hub_errors(what):
            with suppress(EntryNotFoundError):  # the repository answered, and nothing else was asked
                get_hf_file_metadata(url, token=get_token() or False, timeout=seconds)
    except KathrineError as error:
        return error.sentence
    return ""
