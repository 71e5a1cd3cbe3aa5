"""Files of a corpus, wherever they lie: a local folder, a bundled sample, or a dataset repository of the Hub.

A source asks for names first and fetches only what it needs. Nothing of a repository is ever run, and a Hub
repository is listed once: what was listed (its commit and its files) is kept, so that a later run sees the
same corpus, with or without a network.
"""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO

from kathrine.errors import KathrineError
from kathrine.workspace import Workspace

if TYPE_CHECKING:
    from kathrine.components import SourceContext

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
SYNTHETIC_VOICES = "voices of a speech synthesiser, which belong to nobody"
"""Of the bundled samples."""


class DataFiles(ABC):
    """Files by name relative to the corpus' top folder, with `/` between folders.

    label: how messages name the place. folder: where a source keeps what it makes of these files.
    """

    label: str
    folder: Path

    @abstractmethod
    def names(self) -> list[str]:
        """All files, sorted."""

    @abstractmethod
    def size(self, name: str) -> int | None:
        """Bytes of a file, or None where nobody says so."""

    @abstractmethod
    def fetch(self, name: str, advance: Callable[[float], Any] | None = None) -> Path:
        """A local file with this content, downloaded where that is needed; advance is told of bytes fetched.

        Raises: KathrineError with the remedy when it does not exist or can not be fetched.
        """

    def open(self, name: str) -> BinaryIO:
        """A file to read parts of, to be closed; of a file elsewhere no more is fetched than what is read."""
        return self.fetch(name).open("rb")

    def fetch_again(self, name: str) -> Path | None:
        """The file downloaded anew because the one at hand is damaged; None where there is nowhere to get
        it."""
        return None

    @abstractmethod
    def stamp(self, name: str) -> str:
        """Changes when the file does: what is made of it is kept under this."""


def open_files(
    root: str, revision: str, workspace: Workspace, folder: Path, offline: bool, say: Callable[[str], None]
) -> DataFiles:
    """The files of a corpus by its `root`.

    Given: root, a local folder, `kathrine:NAME` for a bundled sample, or a Hub id `owner/name` (a folder of
    that name wins); revision, for the Hub; folder, the source's own in the workspace; say, told what was
    listed. Raises: KathrineError for a root that is none of the three, or that can not be reached.
    """
    if root.startswith("kathrine:"):
        return LocalFiles(bundled_sample(root.removeprefix("kathrine:")), folder, root)
    path = Path(root).expanduser()
    if path.is_dir():
        return LocalFiles(path.resolve(), folder, str(root))
    if HUB_ID.fullmatch(root):
        from kathrine.hubfiles import HubFiles

        return HubFiles(root, revision, workspace, folder, offline, say)
    raise KathrineError(
        f"root '{root}' is no folder and no dataset id of the Hub",
        "give a folder that exists, an id of the form owner/name, or a bundled sample such as kathrine:npsc",
    )


def hub_datasets(root: str) -> tuple[str, ...]:
    """The dataset id that a `root` names, by the rules of `open_files`; none for a folder and a bundled sample."""
    local = root.startswith("kathrine:") or Path(root).expanduser().exists()
    return (root,) if not local and HUB_ID.fullmatch(root) else ()


def voices_of(root: str, voices: str) -> str:
    """What a source says of its voices: `voices` for the corpus itself, the truth for a bundled sample of it."""
    return SYNTHETIC_VOICES if root.startswith("kathrine:") else voices


def bundled_samples() -> Path:
    """The folder of the bundled sample corpora, in a wheel and in an editable install."""
    from kathrine.recipe.folders import builtin_folder

    return builtin_folder() / "samples"


def bundled_sample(name: str) -> Path:
    """A bundled sample corpus by name: `npsc` or `nb-librivox`."""
    samples = bundled_samples()
    known = sorted(entry.name for entry in samples.iterdir() if entry.is_dir() and entry.name[0] not in "_.")
    if name not in known:
        raise KathrineError(f"there is no bundled sample '{name}'", f"there are: {', '.join(known)}")
    return samples / name


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file under a temporary name beside it, then rename: existence means complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def safe_name(text: str) -> str:
    """Text as one folder or file name."""
    return re.sub(r"[^\w.@-]+", "--", text).strip(".-") or "_"


class LocalFiles(DataFiles):
    """A folder on this machine; nothing is copied.

    Args:
        top: the folder. folder: where the source keeps what it makes. label: how messages name it.
    """

    def __init__(self, top: Path, folder: Path, label: str) -> None:
        from hashlib import sha256

        self.top = top
        self.label = label
        self.folder = folder / f"{safe_name(top.name)}-{sha256(str(top).encode()).hexdigest()[:8]}"

    def names(self) -> list[str]:
        return sorted(path.relative_to(self.top).as_posix() for path in self.top.rglob("*") if path.is_file())

    def size(self, name: str) -> int | None:
        path = self.top / name
        return path.stat().st_size if path.is_file() else None

    def fetch(self, name: str, advance: Callable[[float], Any] | None = None) -> Path:
        path = self.top / name
        if not path.is_file():
            raise KathrineError(f"{self.label} has no file {name}", "complete the folder, or set another root")
        if advance is not None:
            advance(path.stat().st_size)
        return path

    def stamp(self, name: str) -> str:
        facts = (self.top / name).stat()
        return f"{facts.st_size}-{facts.st_mtime_ns}"


def inside(name: str) -> bool:
    """Whether a name from an archive or a table stays inside the folder that it is put into."""
    path = PurePosixPath(name.replace("\\", "/"))
    return not path.is_absolute() and ".." not in path.parts and not re.match(r"^[A-Za-z]:", name)


def corpus_problems(root: str, revision: str, context: SourceContext) -> Iterator[str]:
    """Sentences about why the files of a corpus at `root` can not be got at, for `Source.reachable`.

    A folder has to hold something; a dataset of the Hub has to answer one request, or, where nothing may be fetched,
    to have been listed before. Raises: KathrineError for a root that is none of these.
    """
    path = Path(root).expanduser()
    if root.startswith("kathrine:"):
        bundled_sample(root.removeprefix("kathrine:"))
    elif path.is_dir():
        if not os.access(path, os.R_OK | os.X_OK):
            yield f"the folder {root} can not be read; change its rights, or its owner"
        elif next(path.iterdir(), None) is None:
            yield f"the folder {root} is empty; is the disk mounted?"
    elif HUB_ID.fullmatch(root) and not context.offline:
        from kathrine.hubfiles import client_is_offline
        from kathrine.hubreach import hub_problem

        if client_is_offline():
            open_files(root, revision, context.workspace, context.folder, True, context.progress.say)
        elif problem := hub_problem(root, revision):
            yield problem
    else:
        open_files(root, revision, context.workspace, context.folder, True, context.progress.say)


def on_disk(*folders: Path) -> int:
    """Bytes of the files below folders; links and what can not be read count nothing."""
    total = 0
    for folder in folders:
        for top, _, names in os.walk(folder):
            for name in names:
                path = Path(top) / name
                try:
                    total += 0 if path.is_symlink() else path.stat().st_size
                except OSError:  # removed meanwhile: another process works here
                    continue
    return total


def still_to_fetch(wanted: float, root: str, context: SourceContext) -> int:
    """Bytes that a corpus at `root` still needs of those that it will have in the workspace: what its source keeps
    there and what the Hub client has of it is taken off."""
    cache = context.workspace.root / "hub" / f"datasets--{root.replace('/', '--')}"
    return max(0, round(wanted) - on_disk(context.folder, cache))
