"""Where recordings may lie: nothing outside the root is read through `..` or links, unless the recipe allows it.

A path that is written in full is the writer's own choice and is read; in a dataset of the Hub it is not, for nobody
else's path means anything here.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from kathrine.datafiles import DataFiles, LocalFiles
from kathrine_manifest.archives import Shelf

REMEDY = "(allow_outside = true reads it all the same)"


@dataclass(slots=True)
class Places:
    """Finds recordings.

    files: the corpus. root: where relative paths start; None: the folder of their table, then the corpus' top. outside:
    whether anything outside may be read. shelf: recordings of archives, where the recipe names archives.
    """

    files: DataFiles
    root: Path | None = None
    outside: bool = False
    shelf: Shelf | None = None
    _real: dict[str, str] = field(default_factory=dict)

    @property
    def top(self) -> Path | None:
        """The local folder that recordings may not leave; None for a dataset of the Hub."""
        if self.root is not None:
            return self.root
        return self.files.top if isinstance(self.files, LocalFiles) else None

    def find(self, written: str, base: str) -> tuple[Path, str]:
        """The recording of a path as written in a table of the folder `base`, and why it may not be read, or an empty
        string. A recording of the Hub is named by its path in the repository."""
        if "\0" in written:
            return Path(), "a path may not hold a zero byte"
        if written.startswith(f"{self.files.folder}{os.sep}") and ".." not in Path(written).parts:
            return Path(written), ""  # unpacked by this source
        name = written.replace("\\", "/") if os.sep == "/" and "/" not in written else written
        if self.shelf is not None:
            return self.shelf.find(name) or self.files.folder / "not-in-an-archive" / PurePosixPath(name).name, ""
        if self.top is None:
            return self._remote(name, base)
        if Path(name).is_absolute():
            if ".." in Path(name).parts and not self.outside:
                return Path(name), f"'{written}' has .. in it {REMEDY}"
            return Path(name), self._problem(Path(name), written) if Path(name).is_relative_to(self.top) else ""
        return self._local(name, written, base, self.top)

    def _local(self, name: str, written: str, base: str, top: Path) -> tuple[Path, str]:
        starts = [str(top)] if self.root is not None or not base else [str(top / base), str(top)]
        found = [os.path.normpath(f"{start}/{name}") for start in starts]
        path = found[0] if len(found) == 1 else next((one for one in found if Path(one).exists()), found[0])
        if not self.outside and not below(path, str(top)):
            return Path(path), f"'{written}' points outside of {top} {REMEDY}"
        return Path(path), self._problem(Path(path), written)

    def _problem(self, path: Path, written: str) -> str:
        """What links below the top lead to, where that is outside."""
        top = self.top
        if self.outside or top is None:
            return ""
        real = os.path.join(self._folder(str(path.parent)), path.name)  # noqa: PTH118
        if os.path.islink(real):  # noqa: PTH114
            real = os.path.realpath(real)
        return (
            "" if Path(real).is_relative_to(self._folder(str(top))) else f"'{written}' is a link out of {top} {REMEDY}"
        )

    def _folder(self, folder: str) -> str:
        """A folder without links; asked of the disk once."""
        if folder not in self._real:
            self._real[folder] = os.path.realpath(folder)
        return self._real[folder]

    def _remote(self, name: str, base: str) -> tuple[Path, str]:
        if PurePosixPath(name).is_absolute():
            return Path(name), f"'{name}' is an absolute path in a dataset of the Hub"
        starts = [PurePosixPath(base), PurePosixPath()] if base else [PurePosixPath()]
        found = [os.path.normpath(start / name) for start in starts]
        inside = [one for one in found if not one.startswith("..")]
        if not inside:
            return Path(name), f"'{name}' points outside of the dataset"
        return Path(next((one for one in inside if self.files.size(one) is not None), inside[0])), ""

    def exists(self, path: Path) -> bool:
        """Whether a recording that `find` found is there."""
        return path.is_file() or (self.top is None and self.files.size(path.as_posix()) is not None)


def below(path: str, top: str) -> bool:
    """Whether a path without `..` lies in a folder: text alone, for it is asked of every row."""
    return path.startswith(top.rstrip("/") + "/")
