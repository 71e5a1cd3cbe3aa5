"""Writing to the Hub: whether somebody may, found out before any work, and errors that never show a secret.

Shared by everything that uploads through the official client, which is imported when it is first needed.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kathrine.datafiles import HUB_ID
from kathrine.errors import KathrineError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

WRITERS = ("write", "admin", "contributor")
"""Roles, of a token or in an organisation, that may write."""
LOG_IN = "`hf auth login` with a token that may write"
AGAIN = "run the same command again: what is there is not sent twice"


def repo_problem(repo: str) -> str:
    """What is wrong with the id of a repository, or an empty string: it is OWNER/NAME, by the Hub's own rules."""
    from huggingface_hub.utils import HFValidationError, validate_repo_id

    if not HUB_ID.fullmatch(repo):
        return f"'{repo}' is not of the form OWNER/NAME"
    try:
        validate_repo_id(repo)
    except HFValidationError as problem:
        return str(problem)
    return ""


def logged_in(api: HfApi) -> dict[str, Any]:
    """Who the token belongs to, as the Hub describes it: one call.

    Raises: KathrineError where there is no token, or one that the Hub does not know."""
    from huggingface_hub import errors

    try:
        return api.whoami()
    except errors.LocalTokenNotFoundError as problem:
        raise KathrineError("nobody is logged in to the Hub", LOG_IN) from problem
    except errors.HfHubHTTPError as problem:
        if problem.response is None or problem.response.status_code not in (401, 403):
            raise
        raise KathrineError("the Hub does not know the token", LOG_IN) from problem


def refuse_unless_writable(repo: str, who: dict[str, Any]) -> None:
    """Raise KathrineError where the account, or its token, or both, may not write to a repository of this owner."""
    problems = list(write_problems(repo, who))
    if problems:
        raise KathrineError("; ".join(one.message for one in problems), "; ".join(one.hint for one in problems))


def write_problems(repo: str, who: dict[str, Any]) -> Iterator[KathrineError]:
    """What keeps an account, and the token that is logged in, from writing to a repository."""
    owner = repo.partition("/")[0]
    roles = {org["name"]: org.get("roleInOrg", "write") for org in who.get("orgs", ())}
    may = [who["name"], *(name for name, role in roles.items() if role in WRITERS)]
    if owner not in may:
        yield KathrineError(f"{who['name']} may not write to {owner}", f"push to one of: {', '.join(may)}")
    token = who.get("auth", {}).get("accessToken", {})
    role = token.get("role", "write")
    if role == "fineGrained" and owner not in may:
        return  # what it may do there does not matter any more
    if role == "fineGrained":
        scopes = token.get("fineGrained", {}).get("scoped", ())
        allowed = any(
            scope.get("entity", {}).get("name") in (owner, repo) and "repo.write" in scope.get("permissions", ())
            for scope in scopes
        )
        role = "write" if allowed else "read"
    if role not in WRITERS:
        yield KathrineError(f"the token that is logged in may not write to {owner}", LOG_IN)


def is_public(api: HfApi, repo: str, repo_type: str) -> bool | None:
    """Whether everybody may read a repository; None where there is none."""
    from huggingface_hub import errors

    try:
        return not api.repo_info(repo, repo_type=repo_type).private
    except errors.RepositoryNotFoundError:
        return None


def make_repository(api: HfApi, repo: str, repo_type: str, private: bool) -> bool:
    """A repository, made where there is none and shown to everybody where that is wanted. One that is public already
    stays so. Returns: whether everybody may read it."""
    api.create_repo(repo, repo_type=repo_type, private=private, exist_ok=True)
    public = bool(is_public(api, repo, repo_type))
    if not private and not public:
        api.update_repo_settings(repo, repo_type=repo_type, private=False)
        public = True
    return public


class _Redacting(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redacted(record.getMessage()), ()
        return True


def redact_client_log() -> None:
    """Cut secrets out of what the client itself logs: it tells of each attempt with the whole signed address. Twice
    is harmless."""
    from huggingface_hub.utils import logging as client

    for handler in client.get_logger().handlers:
        if not any(isinstance(one, _Redacting) for one in handler.filters):
            handler.addFilter(_Redacting())


def redacted(text: str) -> str:
    """A message of the client without what may open a door: tokens, passwords in addresses, signed queries."""
    from huggingface_hub import get_token

    token = get_token()
    if token:
        text = text.replace(token, "<token>")
    text = re.sub(r"\bhf_[A-Za-z0-9]{8,}", "<token>", text)
    text = re.sub(r"(Bearer\s+)\S+", r"\1<token>", text)
    text = re.sub(r"(\w+://)[^/@\s'\"]+@", r"\1", text)
    return re.sub(r"(\w+://[^\s'\"?]+)\?[^\s'\"]+", r"\1", text)


@contextmanager
def write_errors(repo: str, hint: str = AGAIN) -> Iterator[None]:
    """The client's errors as one sentence and a remedy."""
    from huggingface_hub import errors

    redact_client_log()
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
        raise KathrineError(f"{repo} could not be written: {redacted(reason)}", hint) from problem
