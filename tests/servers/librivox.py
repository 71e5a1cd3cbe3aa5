"""LibriVox, archive.org and a site of texts on the loopback interface, for tests of the real client.

One server answers for all three: the API of the catalogue (`/api/feed/audiobooks/`: offset, limit, id, since, extended,
fields; 404 past the end; languages ignored), the metadata of items (`/metadata/ITEM`), their files with ranges
(`/download/ITEM/FILE`, by a redirect, as archive.org does) and texts (`/texts/NAME`, `/ebooks/N.txt.utf-8`). Every
request is kept in `log`; faults can be planted by path: a body that breaks off, any status a number of times, other
bytes, a place to redirect to. `at` calls a function at the n-th request, or in the middle of a body: that is where
tests kill the client.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit


@dataclass(frozen=True)
class Request:
    """One request that the server saw. sent: bytes of the body that went out."""

    path: str
    query: str
    status: int
    range: str
    agent: str
    sent: int


@dataclass
class LibrivoxServer:
    """The server. Use as a context manager.

    books: as the API describes them in full, with `since` (seconds since 1970) beside. items: files by item, each with
    its facts. pages: other bodies by path.
    """

    books: list[dict[str, Any]] = field(default_factory=list)
    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    log: list[Request] = field(default_factory=list)
    statuses: dict[str, tuple[int, int]] = field(default_factory=dict)
    breaks: dict[str, list[int]] = field(default_factory=dict)
    others: dict[str, list[bytes]] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    calls: list[tuple[str, int, Callable[[], Any]]] = field(default_factory=list)
    largest_page: int = 1000
    ranges: bool = True

    def __post_init__(self) -> None:
        self.lock = threading.Lock()
        handler = type("Handler", (LibrivoxHandler,), {"site": self})
        self.server = QuietServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> LibrivoxServer:
        self.thread.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(timeout=5)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def add_item(self, item: str, files: Mapping[str, bytes], **facts: Mapping[str, Any]) -> None:
        """An item with its files. facts by file name with `.` as `_`: what the metadata says instead of the truth."""
        described = []
        for name, content in files.items():
            self.contents[f"{item}/{name}"] = content
            described.append(
                {
                    "name": name,
                    "source": "derivative" if "_64kb" in name else "original",
                    "format": "64Kbps MP3" if "_64kb" in name else "128Kbps MP3" if name.endswith(".mp3") else "Text",
                    "md5": hashlib.md5(content).hexdigest(),
                    "size": str(len(content)),
                }
                | dict(facts.get(re.sub(r"\W", "_", name), {}))
            )
        self.items[item] = {"metadata": {"identifier": item, "collection": ["librivoxaudio"]}, "files": described}

    def add_text(self, name: str, text: str | bytes) -> str:
        """A text under `/texts/`; returns its address."""
        self.contents[f"texts/{name}"] = text.encode() if isinstance(text, str) else text
        return f"{self.url}/texts/{name}"

    def fail(self, path: str, status: int, times: int = 1) -> None:
        """Answer `status` to the next `times` requests of a path."""
        self.statuses[path] = (status, times)

    def cut(self, path: str, *keep: int) -> None:
        """Break the next bodies of a path off after so many bytes each."""
        self.breaks[path] = list(keep)

    def damage(self, path: str, *bodies: bytes) -> None:
        """Send other bytes the next times."""
        self.others[path] = list(bodies)

    def at(self, event: str, number: int, call: Callable[[], Any]) -> None:
        """Call before the n-th answer to a path that contains `event` (from 1), or, for `body:PATH`, after the first
        `number` bytes of a body of such a path."""
        self.calls.append((event, number, call))

    def paths(self, part: str = "") -> list[str]:
        """Paths asked for with success, in order."""
        return [request.path for request in self.log if part in request.path and request.status < 300]


class QuietServer(ThreadingHTTPServer):
    """Says nothing about a client that is gone: tests kill theirs."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class LibrivoxHandler(BaseHTTPRequestHandler):
    """Answers one request. `site` is set on a subclass by the server."""

    site: LibrivoxServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the console: the log is in memory."""

    def do_GET(self) -> None:
        path, query = unquote(urlsplit(self.path).path), urlsplit(self.path).query
        self.trigger(path)
        with self.site.lock:
            status, times = self.site.statuses.get(path, (0, 0))
            self.site.statuses[path] = (status, times - 1)
        if times > 0:
            return self.send(status, b"planted", {"Retry-After": "0"} if status in (429, 503) else {})
        if target := self.site.redirects.get(path):
            return self.send(302, b"", {"Location": target})
        asked = {name: values[-1] for name, values in parse_qs(query).items()}
        if path == "/api/feed/audiobooks/":
            return self.answer_books(asked)
        if path.startswith("/metadata/"):
            return self.send_json(self.site.items.get(path.removeprefix("/metadata/"), {}))
        if path.startswith("/download/"):  # archive.org sends everybody on to one of its data nodes
            return self.send(302, b"", {"Location": quote("/nodes/" + path.removeprefix("/download/"))})
        if path.startswith("/nodes/"):
            return self.answer_content(path.removeprefix("/nodes/"))
        return self.answer_content(path.removeprefix("/"))

    def trigger(self, path: str) -> None:
        """Calls that tests planted for the n-th request."""
        for place, (event, number, call) in enumerate(self.site.calls):
            if not event.startswith("body:") and event in path:
                self.site.calls[place] = (event, number - 1, call)
                if number == 1:
                    call()

    def answer_books(self, asked: Mapping[str, str]) -> None:
        """A page of books, or the 404 that stands for its end."""
        books = self.site.books
        if "id" in asked:
            books = [book for book in books if str(book["id"]) == asked["id"]]
        if "since" in asked:
            books = [book for book in books if book.get("since", 0) >= int(asked["since"])]
        if asked.get("sort_field") == "id":
            books = sorted(books, key=lambda book: int(book["id"]), reverse=asked.get("sort_order") == "desc")
        offset, limit = int(asked.get("offset", 0)), min(int(asked.get("limit", 50)), self.site.largest_page)
        books = books[offset : offset + limit]
        if not books:
            return self.send_json({"error": "Audiobooks could not be found"}, 404)
        hidden = {"since"} if asked.get("extended") else {"since", "sections", "translators", "url_iarchive"}
        fields = set(asked.get("fields", "").strip("{}").split(",")) - {""}
        shown = [
            {key: value for key, value in book.items() if key not in hidden and (not fields or key in fields)}
            for book in books
        ]
        return self.send_json({"books": shown})

    def answer_content(self, name: str) -> None:
        """A file, whole or from a byte on."""
        content = self.site.contents.get(name)
        if content is None:
            return self.send(404, b"not here")
        with self.site.lock:
            other = self.site.others.get(name, [])
            content = other.pop(0) if other else content
        headers = {"Accept-Ranges": "bytes", "Content-Type": "audio/mpeg"}
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if match and self.site.ranges:
            first = int(match[1])
            if first >= len(content):
                return self.send(416, b"", {"Content-Range": f"bytes */{len(content)}"})
            headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
            return self.send(206, content[first:], headers, name)
        return self.send(200, content, headers, name)

    def send_json(self, content: object, status: int = 200) -> None:
        self.send(status, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None, name: str = "") -> None:
        """Answer with the true length in the header; a planted break sends less and hangs up."""
        path = urlsplit(self.path)
        keep = len(body)
        with self.site.lock:
            if self.site.breaks.get(name):
                keep = min(self.site.breaks[name].pop(0), len(body))
            self.site.log.append(
                Request(
                    unquote(path.path),
                    path.query,
                    status,
                    self.headers.get("Range", ""),
                    self.headers.get("User-Agent", ""),
                    keep,
                )
            )
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        first = next(
            (n for event, n, _ in self.site.calls if event.startswith("body:") and event[5:] in path.path), None
        )
        if first is not None and status < 300:
            self.wfile.write(body[:first])
            self.wfile.flush()
            for place, (event, _, call) in enumerate(list(self.site.calls)):
                if event.startswith("body:") and event[5:] in path.path:
                    del self.site.calls[place]
                    call()
                    self.close_connection = True
                    return
        self.wfile.write(body[:keep])
        if keep < len(body):
            self.wfile.flush()
            self.close_connection = True
