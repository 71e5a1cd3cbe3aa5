"""A Hub on the loopback interface, for tests that use the real client.

It answers what huggingface_hub asks when it reads: repository facts, file listings, paths-info, HEAD and GET
of files with ranges, and errors with their codes. Contents come from folders. Every request is kept in `log`;
faults can be planted: a body that breaks off, one that stalls, one with wrong bytes, a 503 once. Large files can be
answered by a redirect to another address, and ranges can be switched off.

The client reads its settings at import, so tests run it in a process of its own: see `environment` and
`run_client`. Uploads: hub_writes.py. Not covered: Xet, pull requests.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path

from servers.hub_answers import HubHandler

LFS_SUFFIXES = (".gz", ".safetensors", ".mp3", ".wav", ".flac", ".parquet", ".bin")
PREFIXES = {"models": "", "datasets": "datasets/", "spaces": "spaces/"}
REPOSITORY_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Request:
    """One request that the server saw. status: what it answered. file: the repository file, or an empty
    string."""

    method: str
    path: str
    status: int
    file: str = ""
    range: str = ""


@dataclass
class File:
    """A file of a revision. oid: git's sha1, or the sha256 where the Hub would keep it in LFS."""

    path: Path
    size: int
    oid: str
    lfs: bool


@dataclass
class Revision:
    """A commit: its id and files by name."""

    sha: str
    files: dict[str, File]


@dataclass
class Repository:
    """Revisions by name of their branch, and by tag; gated: every read is refused; private: read with a token alone;
    requests: pull requests, in the form of the API's list; history: what was a branch's newest revision before."""

    kind: str
    name: str
    revisions: dict[str, Revision] = field(default_factory=dict)
    gated: bool = False
    private: bool = False
    requests: list[dict] = field(default_factory=list)
    tags: dict[str, Revision] = field(default_factory=dict)
    history: list[Revision] = field(default_factory=list)

    def find(self, revision: str) -> Revision | None:
        by_sha = {known.sha: known for known in (*self.history, *self.revisions.values())}
        return self.revisions.get(revision) or self.tags.get(revision) or by_sha.get(revision)


class Hub:
    """The server. Use as a context manager.

    log: requests in the order in which they came.
    """

    handler: type[HubHandler] = HubHandler

    def __init__(self) -> None:
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.log: list[Request] = []
        self.truncations: dict[str, tuple[int, int]] = {}
        self.failures: dict[str, tuple[int, int]] = {}
        self.corruptions: dict[str, tuple[int, int]] = {}
        self.stalls: dict[str, tuple[int, int]] = {}
        self.stalled = threading.Event()
        self.redirected: set[str] = set()
        self.gives_ranges = True
        self.lock = threading.Lock()
        handler = type("Handler", (self.handler,), {"hub": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> Hub:
        self.thread.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(timeout=5)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def add(
        self, name: str, folder: Path, revision: str = "main", kind: str = "datasets", gated: bool = False
    ) -> Revision:
        """Serve a folder as one revision of a repository; calling it again makes a new commit of that
        revision."""
        repository = self.repositories.setdefault((kind, name), Repository(kind, name))
        repository.gated = gated
        files = {
            path.relative_to(folder).as_posix(): describe(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file() and "__pycache__" not in path.parts
        }
        summary = json.dumps([(file, facts.oid) for file, facts in files.items()] + [[name, revision]])
        made = Revision(hashlib.sha1(summary.encode()).hexdigest(), files)
        repository.revisions[revision] = made
        return made

    def add_request(self, name: str, folder: Path, number: int, author: str, status: str = "open") -> Revision:
        """Serve a folder as the pull request `number` of a model."""
        made = self.add(name, folder, f"refs/pr/{number}", kind="models")
        self.repositories["models", name].requests.append(
            {
                "title": "Adding `safetensors` variant of this model",
                "num": number,
                "status": status,
                "author": {"name": author},
                "isPullRequest": True,
                "createdAt": "2026-01-01T00:00:00.000Z",
                "repo": {"name": name, "type": "model"},
            }
        )
        return made

    def note(self, method: str, path: str, status: int, file: str, range: str) -> None:
        """Keep a request in the log."""
        with self.lock:
            self.log.append(Request(method, path, status, file, range))

    def truncate(self, file: str, keep: int, times: int = 1) -> None:
        """Break the body of a file off after `keep` bytes, the next `times` times it is sent."""
        self.truncations[file] = (keep, times)

    def fail(self, file: str, status: int = 503, times: int = 1) -> None:
        """Answer `status` to the next `times` GETs of a file."""
        self.failures[file] = (status, times)

    def corrupt(self, file: str, first: int = 0, times: int = 1) -> None:
        """Send a file with every byte changed from byte `first` of the body on, its length unchanged, the next `times`
        times."""
        self.corruptions[file] = (first, times)

    def stall(self, file: str, keep: int) -> None:
        """Send `keep` bytes of a file once, then nothing more for as long as the client waits (20 s at most);
        `stalled` is set when it does."""
        self.stalls[file] = (keep, 1)

    def redirect(self, file: str) -> None:
        """Answer for a file with the address where it lies, as the Hub does for what it keeps in LFS."""
        self.redirected.add(file)

    def planted(self, plans: dict[str, tuple[int, int]], file: str) -> int | None:
        """The value of a planted fault, used up by one; None when there is none left."""
        with self.lock:
            value, times = plans.get(file, (0, 0))
            if times <= 0:
                return None
            plans[file] = (value, times - 1)
            return value

    def fetched(self, suffix: str = "") -> list[str]:
        """Files whose body was sent (whole or in part), in order, whose name ends in `suffix`."""
        return [
            entry.file
            for entry in self.log
            if entry.method == "GET" and entry.file and entry.status in (200, 206) and entry.file.endswith(suffix)
        ]

    def environment(self, home: Path, **more: str) -> dict[str, str]:
        """Environment of a client process that talks to this server only, with a cache of its own."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))}
        return kept | {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_ETAG_TIMEOUT": "5",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
            "OMP_NUM_THREADS": "1",
            "KATHRINE_WORKSPACE": str(home / "workspace"),
            "PYTHONPATH": os.pathsep.join(
                [str(REPOSITORY_ROOT), str(REPOSITORY_ROOT / "plugins"), str(REPOSITORY_ROOT / "tests")]
            ),
            **more,
        }


def describe(path: Path) -> File:
    """Size and object id of a file, as git or LFS would name it."""
    content = path.read_bytes()
    if path.suffix in LFS_SUFFIXES and content:
        return File(path, len(content), hashlib.sha256(content).hexdigest(), True)
    return File(path, len(content), hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest(), False)


def run_client(
    code: str, environment: Mapping[str, str], *arguments: str, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process of its own; `sys.argv[1:]` are the arguments. Its output is captured."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
