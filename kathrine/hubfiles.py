"""Files of a dataset repository of the Hub, through the official client: listed once, fetched when needed.

Used by sources only, through `kathrine.datafiles.open_files`. The client is imported when it is first needed.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from kathrine.datafiles import DataFiles, safe_name, write_atomically
from kathrine.errors import KathrineError
from kathrine.hublayout import INDEX, read_index
from kathrine.hubwrites import redact_client_log, redacted
from kathrine.workspace import Workspace


class HubFiles(DataFiles):
    """A dataset repository of the Hub, read through the official client at one commit.

    Args:
        repo: `owner/name`. revision: branch, tag or commit. workspace: its `hub` folder is the client's
        cache. folder: where the source keeps what it makes. offline: fetch nothing. say: told what was
        listed.
    """

    def __init__(
        self, repo: str, revision: str, workspace: Workspace, folder: Path, offline: bool, say: Callable
    ) -> None:
        self.repo = repo
        self.revision = revision
        self.label = repo if revision == "main" else f"{repo}@{revision}"
        self.folder = folder / safe_name(f"{repo}@{revision}")
        self.cache = workspace.hub
        self.offline = offline or client_is_offline()
        listing = self._listing(say)
        self.say = say
        self.gives_ranges: bool | None = None
        self.commit: str = listing["commit"]
        self.sizes: dict[str, int] = listing["files"]
        self.hashes: dict[str, str] = listing.get("hashes", {})

    def _listing(self, say: Callable) -> dict[str, Any]:
        """Commit and files, asked of the Hub once and kept."""
        path = self.folder / "listing.json"
        if path.is_file():
            return json.loads(path.read_text(encoding="utf-8"))
        if self.offline:
            raise KathrineError(
                f"{self.label} was never listed here and nothing may be fetched",
                "run `kathrine prepare` once with a network, or set root to a local folder in its layout",
            )
        from huggingface_hub import HfApi

        say(f"listing {self.label} on the Hub")
        with hub_errors(f"dataset {self.label}"):
            api = HfApi()
            commit = api.repo_info(self.repo, revision=self.revision, repo_type="dataset").sha or self.revision
            tree = list(api.list_repo_tree(self.repo, recursive=True, revision=commit, repo_type="dataset"))
        files = {entry.path: entry.size for entry in tree if hasattr(entry, "size")}
        # The Hub tells the SHA-256 of what it keeps in LFS, which is every large file.
        large = {entry.path: getattr(entry, "lfs", None) for entry in tree}
        hashes = {path: lfs.sha256 for path, lfs in large.items() if lfs is not None}
        listing = {"repo": self.repo, "revision": self.revision, "commit": commit, "files": files, "hashes": hashes}
        write_atomically(path, json.dumps(listing, indent=0, sort_keys=True).encode())
        return listing

    def names(self) -> list[str]:
        return sorted(self.sizes)

    def size(self, name: str) -> int | None:
        return self.sizes.get(name)

    def fetch(self, name: str, advance: Callable[[float], Any] | None = None) -> Path:
        return self._download(name, advance, force=False)

    def fetch_again(self, name: str) -> Path | None:
        return None if self.offline else self._download(name, None, force=True)

    def open(self, name: str) -> BinaryIO:
        """Parts of a file by HTTP ranges; where that can not be, the whole file is fetched first."""
        if self._cached(name) or self.offline:
            return self.fetch(name).open("rb")
        self._refuse_unknown(name)
        from kathrine.hubranges import RangeFile, gives_ranges

        with hub_errors(f"{self.label}: {name}"):
            if self.gives_ranges is None:
                self.gives_ranges = gives_ranges(self.repo, self.commit, name)
            if not self.gives_ranges:
                self.say(f"{name}: the server gives no parts of files: fetching all of it")
                return self.fetch(name).open("rb")
            return cast(BinaryIO, RangeFile(self.repo, self.commit, name, self.sizes[name], f"{self.label}: {name}"))

    def _cached(self, name: str) -> bool:
        """Whether the whole file lies in the client's cache."""
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(self.repo, name, cache_dir=self.cache, revision=self.commit, repo_type="dataset")
        return isinstance(found, str)

    def _refuse_unknown(self, name: str) -> None:
        if name not in self.sizes:
            raise KathrineError(f"{self.label} has no file {name}", "set another revision, or another root")

    def _download(self, name: str, advance: Callable[[float], Any] | None, force: bool, last: bool = False) -> Path:
        """Download a file where it is not in the client's cache, and compare it with the Hub's checksum; what comes
        damaged is fetched once more."""
        self._refuse_unknown(name)
        from huggingface_hub import hf_hub_download

        def download() -> str:
            return hf_hub_download(
                self.repo,
                name,
                repo_type="dataset",
                revision=self.commit,
                cache_dir=self.cache,
                local_files_only=self.offline,
                force_download=force,
                tqdm_class=bar_for(advance),
            )

        had = not force and self._cached(name)
        with hub_errors(f"{self.label}: {name}"):
            path = Path(patiently(download, lambda wait: self.say(f"{name}: the Hub is busy, again in {wait} s")))
        if had or self._intact(name, path):
            return path
        path.resolve().unlink()  # or the next run would take it for whole
        path.unlink(missing_ok=True)
        if last:
            raise KathrineError(
                f"{self.label}: {name} is damaged: its SHA-256 is not the one that the Hub lists",
                "try again later; everything that was fetched before is kept",
            )
        self.say(f"{name}: came damaged (its SHA-256 is not the one that the Hub lists), fetching it again")
        return self._download(name, None, force=True, last=True)

    def _intact(self, name: str, path: Path) -> bool:
        """Whether a file is what the Hub lists, as far as it tells."""
        if name not in self.hashes:
            return True
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == self.hashes[name]

    def stamp(self, name: str) -> str:
        return self.commit


def patiently(ask: Callable[[], str], say: Callable[[int], Any], waits: tuple[int, ...] = (1, 4, 15)) -> str:
    """Ask, and ask again after a while where the Hub answered with a 5xx; the client gives up at the first
    one."""
    from huggingface_hub.errors import HfHubHTTPError

    for wait in waits:
        try:
            return ask()
        except HfHubHTTPError as problem:
            if problem.response is None or problem.response.status_code < 500:
                raise
        say(wait)
        time.sleep(wait)
    return ask()


def client_is_offline() -> bool:
    """Whether the Hub client was told to stay offline (`HF_HUB_OFFLINE`)."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def bar_for(advance: Callable[[float], Any] | None) -> type:
    """A progress bar class for the Hub client that prints nothing and hands the bytes on."""
    from huggingface_hub.utils import tqdm

    class Bar(tqdm):
        def __init__(self, *args: Any, **options: Any) -> None:
            options["disable"] = True
            super().__init__(*args, **options)

        def update(self, n: float | None = 1) -> bool | None:
            if advance is not None and n:
                advance(n)
            return None

    return Bar


@contextmanager
def hub_errors(what: str, place: str = "set root to a local folder in its layout") -> Iterator[None]:
    """Turn the Hub client's errors into one sentence and a remedy. `what`: the repository or file asked for. `place`:
    what to do instead of fetching it."""
    from huggingface_hub import errors

    redact_client_log()
    try:
        yield
    except errors.GatedRepoError as problem:
        raise KathrineError(
            f"{what} is behind terms that must be accepted first",
            "accept them on its page on the Hub, then log in with `hf auth login`",
        ) from problem
    except errors.RepositoryNotFoundError as problem:
        raise KathrineError(
            f"the Hub has no {what}, or it is private",
            "check the spelling, or log in with `hf auth login`",
        ) from problem
    except errors.RevisionNotFoundError as problem:
        raise KathrineError(f"{what}: there is no such revision", "check the option revision") from problem
    except errors.LocalEntryNotFoundError as problem:
        raise KathrineError(
            f"{what} is not in the workspace and can not be fetched",
            f"run once with a network (and without run.offline), or {place}",
        ) from problem
    except errors.EntryNotFoundError as problem:
        raise KathrineError(f"{what}: there is no such file", "set another revision, or another root") from problem
    except (errors.HfHubHTTPError, errors.OfflineModeIsEnabled, errors.HTTPError, OSError) as problem:
        answer = getattr(problem, "response", None)
        if answer is not None and answer.status_code in (401, 403):
            raise KathrineError(
                f"the Hub does not give {what} to whoever asks ({answer.status_code})",
                "log in with `hf auth login`, as somebody who may read it",
            ) from problem
        reason = (str(problem).strip() or type(problem).__name__).splitlines()[0]
        raise KathrineError(
            f"{what} could not be fetched: {redacted(reason)}",
            f"try again (what is complete is kept), or {place}",
        ) from problem


def fetch_model_folder(
    repo: str,
    revision: str,
    folder: str,
    cache: Path,
    say: Callable[[str], Any],
    offline: bool = False,
    only: Sequence[str] = (),
) -> Path:
    """A model repository, or one folder of it, as a local folder; what is in the cache is not fetched again. Of a
    repository that kathrine uploaded to, the root is what lies there, without the folders beside it.

    Given: revision, branch, tag or commit, empty for main; cache, the client's; only, patterns of the file names to
    fetch, empty for all. Raises: KathrineError that lists the folders of the repository where the one asked for is not
    among them.
    """
    from huggingface_hub import HfApi, snapshot_download

    what = f"{repo}@{revision}" if revision else repo
    offline = offline or client_is_offline()
    folder = folder.strip("/")
    if not offline:
        say(f"fetching {what}{f'/{folder}' if folder else ''} from the Hub")
        with hub_errors(what, "name a local folder"):
            names = HfApi().list_repo_files(repo, revision=revision or None)
        if folder and not any(name.startswith(f"{folder}/") for name in names):
            folders = sorted({name.rpartition("/")[0] for name in names if "/" in name})
            raise KathrineError(f"{what} has no folder {folder}", f"it has: {', '.join(folders) or 'no folders'}")
    with hub_errors(what, "name a local folder"):
        beside = [] if folder or offline or INDEX not in names else _folders_beside(repo, revision, cache)
        snapshot = snapshot_download(
            repo,
            revision=revision or None,
            cache_dir=cache,
            allow_patterns=[f"{folder}/{name}" if folder else name for name in only or ("*",)],
            ignore_patterns=[f"{name}/*" for name in beside],
            local_files_only=offline,
            tqdm_class=bar_for(None),
        )
    place = Path(snapshot) / folder
    if not place.is_dir():
        raise KathrineError(f"{what} has no folder {folder} in the workspace", "run once with a network")
    return place


def _folders_beside(repo: str, revision: str, cache: Path) -> list[str]:
    """Folders of a repository that are no part of what lies at its root, by its index."""
    from huggingface_hub import hf_hub_download

    path = hf_hub_download(repo, INDEX, revision=revision or None, cache_dir=cache, tqdm_class=bar_for(None))
    return list(read_index(Path(path)).get("folders", {}))
