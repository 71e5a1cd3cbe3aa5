"""The one folder that holds every download and cache: `KATHRINE_WORKSPACE`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from kathrine.errors import KathrineError


@dataclass(frozen=True, slots=True)
class Workspace:
    """Folders of downloads and caches. A folder is created when it is first asked for."""

    root: Path

    @classmethod
    def default(cls) -> Workspace:
        """The folder named by `KATHRINE_WORKSPACE`, else `kathrine` in the user's cache folder."""
        named = os.environ.get("KATHRINE_WORKSPACE")
        if named:
            return cls(Path(named).expanduser().resolve())
        cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        return cls(Path(cache).expanduser().resolve() / "kathrine")

    def folder(self, *parts: str) -> Path:
        """A folder below the root, made on first use."""
        folder = self.root.joinpath(*parts)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise KathrineError(
                f"the workspace {self.root} can not be used: {error.strerror or error}",
                "name a folder that can be written in KATHRINE_WORKSPACE",
            ) from error
        return folder

    @property
    def hub(self) -> Path:
        """Cache of Hub downloads (`cache_dir` of huggingface_hub)."""
        return self.folder("hub")

    @property
    def models(self) -> Path:
        """Models built or converted here."""
        return self.folder("models")

    @property
    def sources(self) -> Path:
        """What sources fetched and unpacked: one folder a source."""
        return self.folder("sources")

    @property
    def corpus(self) -> Path:
        """Encoded audio, speaker embeddings, tokenised texts and prepared corpora."""
        return self.folder("corpus")
