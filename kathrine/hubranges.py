"""Parts of files of a dataset repository of the Hub, by HTTP ranges through the official client.

Used by `kathrine.hubfiles` only. The client is imported when it is first needed.
"""

from __future__ import annotations

import io
from typing import Any

from kathrine.hubfiles import hub_errors


def gives_ranges(repo: str, commit: str, name: str) -> bool:
    """Whether the server answers for a part of a file with that part, and not with the whole file."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.utils import build_hf_headers, get_session

    url = hf_hub_url(repo, name, repo_type="dataset", revision=commit)
    headers = {**build_hf_headers(), "Range": "bytes=0-0"}
    with get_session().stream("GET", url, headers=headers, follow_redirects=True) as answer:
        # Errors are left to the reader, who knows how to ask again.
        return answer.status_code != 200


class RangeFile(io.RawIOBase):
    """A file of the Hub, read in parts: each read is one request, asked again by the client where it breaks off.

    Args:
        repo, commit, name: a dataset of the Hub and its file. size: of the file, in bytes. what: the file as messages
        name it.
    """

    def __init__(self, repo: str, commit: str, name: str, size: int, what: str) -> None:
        from huggingface_hub import HfFileSystem

        super().__init__()
        self.what = what
        self.size = size
        self.file = HfFileSystem().open(f"datasets/{repo}@{commit}/{name}", "rb", cache_type="none", size=size)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        return self.file.tell()

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self.size - self.file.tell())
        if wanted <= 0:
            return 0
        with hub_errors(self.what):
            content = self.file.read(wanted)
            if len(content) != wanted:
                raise OSError(f"{len(content)} bytes came instead of {wanted}")
        buffer[:wanted] = content
        return wanted
