"""A Hub on the loopback interface, for tests that use the real client.

It answers what huggingface_hub asks when it reads: repository facts, file listings, paths-info, HEAD and GET of
files with ranges, and errors with their codes. Contents come from folders. Every request is kept in `log`; faults
can be planted: a body that breaks off, a 503 once.

The client reads its settings at import, so tests run it in a process of its own: see `environment` and `run_client`.
Not covered: uploads, Xet, pull requests.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

LFS_SUFFIXES = (".gz", ".safetensors", ".mp3", ".wav", ".flac", ".parquet", ".bin")
PREFIXES = {"models": "", "datasets": "datasets/", "spaces": "spaces/"}
REPOSITORY_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Request:
    """One request that the server saw. status: what it answered. file: the repository file, or an empty string."""

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
    """Revisions by name; gated: every read is refused."""

    kind: str
    name: str
    revisions: dict[str, Revision] = field(default_factory=dict)
    gated: bool = False

    def find(self, revision: str) -> Revision | None:
        by_sha = {known.sha: known for known in self.revisions.values()}
        return self.revisions.get(revision) or by_sha.get(revision)


class Hub:
    """The server. Use as a context manager.

    log: requests in the order in which they came.
    """

    def __init__(self) -> None:
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.log: list[Request] = []
        self.truncations: dict[str, tuple[int, int]] = {}
        self.failures: dict[str, tuple[int, int]] = {}
        self.lock = threading.Lock()
        handler = type("Handler", (HubHandler,), {"hub": self})
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
        """Serve a folder as one revision of a repository; calling it again makes a new commit of that revision."""
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

    def truncate(self, file: str, keep: int, times: int = 1) -> None:
        """Break the body of a file off after `keep` bytes, the next `times` times it is sent."""
        self.truncations[file] = (keep, times)

    def fail(self, file: str, status: int = 503, times: int = 1) -> None:
        """Answer `status` to the next `times` GETs of a file."""
        self.failures[file] = (status, times)

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


class HubHandler(BaseHTTPRequestHandler):
    """Answers one request. `hub` is set on a subclass by the server."""

    hub: Hub
    protocol_version = "HTTP/1.1"
    file = ""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the console: the log is in memory."""

    def send(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None, cut: int = -1) -> None:
        """Answer, with the true length in the header; `cut` sends fewer bytes and hangs up."""
        with self.hub.lock:
            self.hub.log.append(
                Request(self.command, unquote(self.path), status, self.file, self.headers.get("Range", ""))
            )
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if "Content-Length" not in (headers or {}):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body if cut < 0 else body[:cut])
        if cut >= 0:
            self.wfile.flush()
            self.close_connection = True

    def send_json(self, content: object, status: int = 200) -> None:
        self.send(status, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def refuse(self, code: str, status: int = 404, **headers: str) -> None:
        """An error as the Hub words it: the client goes by `X-Error-Code`."""
        self.send(
            status, json.dumps({"error": code}).encode(), {"X-Error-Code": code, "X-Error-Message": code, **headers}
        )

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self.file = ""
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        match = re.fullmatch(r"/api/(\w+)/([^/]+/[^/]+)/paths-info/(.+)", unquote(urlsplit(self.path).path))
        if match is None:
            return self.refuse("NotFound")
        revision = self.revision(match[1], match[2], match[3])
        if revision is None:
            return None
        if "json" in self.headers.get("Content-Type", ""):
            wanted = json.loads(body)["paths"]
        else:
            wanted = parse_qs(body.decode()).get("paths", [])
        self.send_json([entry_of(name, revision.files[name]) for name in wanted if name in revision.files])
        return None

    def do_GET(self) -> None:
        self.file = ""
        path = unquote(urlsplit(self.path).path)
        if match := re.fullmatch(r"/api/(models|datasets|spaces)/([^/]+/[^/]+)(/.*)?", path):
            self.answer_api(match[1], match[2], match[3] or "")
        elif match := re.fullmatch(r"/((?:datasets|spaces)/)?([^/]+/[^/]+)/resolve/(.+)", path):
            kind = (match[1] or "models/").rstrip("/")
            self.answer_file(kind, match[2], match[3])
        else:
            self.refuse("NotFound")

    def revision(self, kind: str, name: str, revision: str) -> Revision | None:
        """The revision asked for, or None after the error was sent."""
        repository = self.hub.repositories.get((kind, name))
        if repository is None:
            self.refuse("RepoNotFound")
            return None
        if repository.gated:
            self.refuse("GatedRepo", 403)
            return None
        found = repository.find(revision)
        if found is None:
            self.refuse("RevisionNotFound")
        return found

    def answer_api(self, kind: str, name: str, rest: str) -> None:
        """Repository facts, with or without a revision, and file listings."""
        if rest == "" or rest.startswith("/revision/"):
            revision = self.revision(kind, name, rest.removeprefix("/revision/") or "main")
            if revision is not None:
                self.send_json(
                    {
                        "_id": "0" * 24,
                        "id": name,
                        "author": name.split("/")[0],
                        "sha": revision.sha,
                        "siblings": [{"rfilename": file} for file in revision.files],
                        "private": False,
                        "gated": False,
                        "disabled": False,
                        "tags": [],
                        "downloads": 0,
                        "likes": 0,
                        "lastModified": "2026-01-01T00:00:00.000Z",
                        "createdAt": "2026-01-01T00:00:00.000Z",
                    }
                )
        elif rest == "/refs":
            repository = self.hub.repositories[(kind, name)]
            branches = [
                {"name": branch, "ref": f"refs/heads/{branch}", "targetCommit": made.sha}
                for branch, made in repository.revisions.items()
            ]
            self.send_json({"branches": branches, "tags": [], "converts": []})
        elif rest.startswith("/tree/"):
            self.answer_tree(kind, name, rest.removeprefix("/tree/"))
        else:
            self.refuse("NotFound")

    def answer_tree(self, kind: str, name: str, rest: str) -> None:
        """Files below a folder, whole depth with `recursive`."""
        repository = self.hub.repositories.get((kind, name))
        split = split_revision(repository, rest)
        revision = self.revision(kind, name, split[0])
        if revision is None:
            return
        below = split[1].rstrip("/") + "/" if split[1] else ""
        inside = {file: facts for file, facts in revision.files.items() if file.startswith(below)}
        if below and not inside:
            self.refuse("EntryNotFound", **{"X-Repo-Commit": revision.sha})
            return
        entries: list[dict] = []
        folders: set[str] = set()
        recursive = "true" in parse_qs(urlsplit(self.path).query).get("recursive", [""])[0].lower()
        for file, facts in inside.items():
            relative = file.removeprefix(below)
            parents = [below + "/".join(relative.split("/")[: n + 1]) for n in range(relative.count("/"))]
            for folder in parents if recursive else parents[:1]:
                if folder not in folders:
                    folders.add(folder)
                    entries.append({"type": "directory", "path": folder, "oid": "0" * 40, "size": 0})
            if recursive or not parents:
                entries.append(entry_of(file, facts))
        self.send_json(entries)

    def answer_file(self, kind: str, name: str, rest: str) -> None:
        """A file's facts or content, whole or a range of it."""
        revision_name, file = split_revision(self.hub.repositories.get((kind, name)), rest)
        revision = self.revision(kind, name, revision_name)
        if revision is None:
            return
        facts = revision.files.get(file)
        if facts is None:
            self.refuse("EntryNotFound", **{"X-Repo-Commit": revision.sha})
            return
        self.file = file
        headers = {"X-Repo-Commit": revision.sha, "ETag": f'"{facts.oid}"', "Accept-Ranges": "bytes"}
        if facts.lfs:
            headers |= {"X-Linked-Etag": f'"{facts.oid}"', "X-Linked-Size": str(facts.size)}
        if self.command == "HEAD":
            self.send(200, headers=headers | {"Content-Length": str(facts.size)})
            return
        if (status := self.hub.planted(self.hub.failures, file)) is not None:
            self.send(status, b"planted", {"Retry-After": "0"})
            return
        body, status = facts.path.read_bytes(), 200
        if match := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            first, last = int(match[1]), min(int(match[2] or facts.size - 1), facts.size - 1)
            if first >= facts.size:
                self.send(416, headers={"Content-Range": f"bytes */{facts.size}"})
                return
            headers["Content-Range"] = f"bytes {first}-{last}/{facts.size}"
            body, status = body[first : last + 1], 206
        keep = self.hub.planted(self.hub.truncations, file)
        self.send(
            status, body, headers | {"Content-Length": str(len(body))}, cut=-1 if keep is None else min(keep, len(body))
        )


def split_revision(repository: Repository | None, rest: str) -> tuple[str, str]:
    """`REVISION/PATH` apart; a revision may hold slashes itself, such as refs/convert/parquet."""
    known = {} if repository is None else repository.revisions
    for revision in sorted(known, key=len, reverse=True):
        if rest == revision or rest.startswith(revision + "/"):
            return revision, rest[len(revision) + 1 :]
    revision, _, path = rest.partition("/")
    return revision, path


def entry_of(name: str, facts: File) -> dict:
    """A file as listings describe it."""
    entry: dict = {"type": "file", "path": name, "size": facts.size, "oid": facts.oid}
    if facts.lfs:
        entry["oid"] = hashlib.sha1(facts.oid.encode()).hexdigest()
        entry["lfs"] = {"oid": facts.oid, "size": facts.size, "pointerSize": 134}
    return entry
