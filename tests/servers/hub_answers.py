"""How the loopback Hub answers each request; what it serves and what it keeps is in hub.py."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from servers.hub import File, Hub, Repository, Revision


class HubHandler(BaseHTTPRequestHandler):
    """Answers one request. `hub` is set on a subclass by the server."""

    hub: Hub
    protocol_version = "HTTP/1.1"
    file = ""
    waits = False

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the console: the log is in memory."""

    def send(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None, cut: int = -1) -> None:
        """Answer, with the true length in the header; `cut` sends fewer bytes and hangs up."""
        self.hub.note(self.command, unquote(self.path), status, self.file, self.headers.get("Range", ""))
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
            if self.waits:
                self.hub.stalled.set()
                self.wait_for_the_client()
            self.close_connection = True

    def wait_for_the_client(self) -> None:
        """Until it hangs up, 20 s at most."""
        self.connection.settimeout(20)
        with contextlib.suppress(OSError):
            self.connection.recv(1)

    def send_json(self, content: object, status: int = 200) -> None:
        self.send(status, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def refuse(self, code: str, status: int = 404, **headers: str) -> None:
        """An error as the Hub words it: the client goes by `X-Error-Code`."""
        self.send(
            status,
            json.dumps({"error": code}).encode(),
            {"X-Error-Code": code, "X-Error-Message": code, **headers},
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
        elif match := re.fullmatch(r"(/cdn)?/((?:datasets|spaces)/)?([^/]+/[^/]+)/resolve/(.+)", path):
            kind = (match[2] or "models/").rstrip("/")
            self.answer_file(kind, match[3], match[4], elsewhere=bool(match[1]))
        else:
            self.refuse("NotFound")

    def revision(self, kind: str, name: str, revision: str) -> Revision | None:
        """The revision asked for, or None after the error was sent."""
        repository = self.hub.repositories.get((kind, name))
        if repository is None or (repository.private and not self.headers.get("Authorization")):
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
                        "private": self.hub.repositories[kind, name].private,
                        "gated": False,
                        "disabled": False,
                        "tags": [],
                        "downloads": 0,
                        "likes": 0,
                        "lastModified": "2026-01-01T00:00:00.000Z",
                        "createdAt": "2026-01-01T00:00:00.000Z",
                    }
                )
        elif rest == "/discussions":
            repository = self.hub.repositories[(kind, name)]
            author = parse_qs(urlsplit(self.path).query).get("author", [""])[0]
            found = [request for request in repository.requests if author in ("", request["author"]["name"])]
            self.send_json({"discussions": found, "count": len(found), "start": 0})
        elif rest == "/refs":
            if self.revision(kind, name, "main") is None:
                return
            repository = self.hub.repositories[(kind, name)]
            branches = [
                {"name": branch, "ref": f"refs/heads/{branch}", "targetCommit": made.sha}
                for branch, made in repository.revisions.items()
            ]
            tags = [
                {"name": tag, "ref": f"refs/tags/{tag}", "targetCommit": made.sha}
                for tag, made in repository.tags.items()
            ]
            self.send_json({"branches": branches, "tags": tags, "converts": []})
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

    def answer_file(self, kind: str, name: str, rest: str, elsewhere: bool) -> None:
        """A file's facts or content, whole or a range of it. elsewhere: at the address that a redirect named."""
        revision_name, file = split_revision(self.hub.repositories.get((kind, name)), rest)
        revision = self.revision(kind, name, revision_name)
        if revision is None:
            return
        facts = revision.files.get(file)
        if facts is None:
            self.refuse("EntryNotFound", **{"X-Repo-Commit": revision.sha})
            return
        self.file = file
        headers = {"X-Repo-Commit": revision.sha, "ETag": f'"{facts.oid}"'}
        if self.hub.gives_ranges:
            headers["Accept-Ranges"] = "bytes"
        if facts.lfs:
            headers |= {"X-Linked-Etag": f'"{facts.oid}"', "X-Linked-Size": str(facts.size)}
        if file in self.hub.redirected and not elsewhere:
            self.file = ""  # nothing of it is sent here
            self.send(302, headers=headers | {"Location": f"{self.hub.url}/cdn{self.path}", "Content-Length": "0"})
            return
        if self.command == "HEAD":
            self.send(200, headers=headers | {"Content-Length": str(facts.size)})
            return
        if (status := self.hub.planted(self.hub.failures, file)) is not None:
            self.send(status, b"planted", {"Retry-After": "0"})
            return
        body, status = facts.path.read_bytes(), 200
        asked = self.headers.get("Range", "") if self.hub.gives_ranges else ""
        if match := re.fullmatch(r"bytes=(\d+)-(\d*)", asked):
            first, last = int(match[1]), min(int(match[2] or facts.size - 1), facts.size - 1)
            if first >= facts.size:
                self.send(416, headers={"Content-Range": f"bytes */{facts.size}"})
                return
            headers["Content-Range"] = f"bytes {first}-{last}/{facts.size}"
            body, status = body[first : last + 1], 206
        if (first := self.hub.planted(self.hub.corruptions, file)) is not None:
            body = body[:first] + bytes(byte ^ 0xFF for byte in body[first:])
        keep = self.hub.planted(self.hub.truncations, file)
        if (stall := self.hub.planted(self.hub.stalls, file)) is not None:
            keep = stall
        self.waits = stall is not None
        self.send(
            status,
            body,
            headers | {"Content-Length": str(len(body))},
            cut=-1 if keep is None else min(keep, len(body)),
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
