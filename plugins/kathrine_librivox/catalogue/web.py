"""GET requests by the standard library: polite, patient, resumable, and none where nothing may be fetched."""

from __future__ import annotations

import http.client
import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit

from kathrine import KathrineError, __version__

USER_AGENT = f"kathrine/{__version__} (speech corpora for research)"
TIMEOUT = 60.0
"""Seconds without an answer, or without another byte of one."""
WAITS = (1.0, 4.0, 15.0)
"""Seconds before each further try; the first try has none."""
LONGEST_WAIT = 120.0
"""A server may ask for a longer wait than ours (Retry-After), up to this many seconds."""
MOST_BREAKS = 200
"""How often one download may break off and go on before it is given up."""
PIECE = 1 << 16
LARGEST_PAGE = 1 << 28
REMEDY = "try again later: what is complete is kept, and a half file goes on where it stopped"


class NotThere(KathrineError):
    """The server answers 404 or 410."""


class Busy(Exception):
    """The server can not answer now, or the connection was lost. wait: seconds that the server asked for."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class RangeRefused(Exception):
    """The server has no byte where the rest of a file should begin."""


class WebRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect to http and https only."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        if urlsplit(newurl).scheme not in ("http", "https"):
            raise elsewhere(req.full_url, newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def elsewhere(url: str, target: str) -> KathrineError:
    """The error for a redirect that is not followed."""
    return KathrineError(f"{url} is redirected to {target}, which is no address of the web", "check the base URLs")


def web_opener() -> urllib.request.OpenerDirector:
    """An opener for http and https alone: no files, no ftp, no data addresses; proxies as the environment has them."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
        WebRedirects(),
    ):
        opener.add_handler(handler)
    return opener


class Web:
    """One polite visitor.

    Args:
        requests_per_second: no more than this, over all hosts. offline: refuse every request. say: told of waits.
    """

    def __init__(self, requests_per_second: float, offline: bool, say: Callable[[str], Any]) -> None:
        self.gap = 1.0 / requests_per_second
        self.offline = offline
        self.say = say
        self.opener = web_opener()
        self.next_turn = 0.0

    def read(self, url: str) -> bytes:
        """A whole body, up to 256 MB.

        Raises: NotThere; KathrineError for every other answer but success, for a server that stays busy, and where
        nothing may be fetched.
        """
        failures = 0
        while True:
            try:
                with self._open(url, {}) as answer:
                    pieces, received = [], 0
                    for piece in pieces_of(answer):
                        pieces.append(piece)
                        received += len(piece)
                        if received > LARGEST_PAGE:
                            raise KathrineError(f"{url} does not end after {LARGEST_PAGE >> 20} MB", "check the URL")
                    return b"".join(pieces)
            except Busy as problem:
                failures += 1
                self._wait(url, problem, failures)

    def json(self, url: str) -> Any:
        """A body as JSON. Raises: as `read`, and KathrineError for what is not JSON."""
        body = self.read(url)
        try:
            return json.loads(body)
        except ValueError as problem:
            start = body[:60].decode(errors="replace").strip()
            raise KathrineError(
                f"{url} does not answer with JSON but with '{start}'",
                "check the base URL; a login page may be in between",
            ) from problem

    def download(self, url: str, path: Path, size: int | None, advance: Callable[[float], Any]) -> None:
        """Fetch into `path`; what is there already is taken for the beginning, and only the rest is asked for.

        Given: size in bytes where it is known: nothing is asked for when `path` has it, and no more is written
        than one byte beyond it. advance: told of bytes. Raises: as `read`.
        """
        failures = breaks = 0
        while size is None or length(path) < size:
            before = length(path)
            try:
                self._append(url, path, before, size, advance)
                return
            except RangeRefused as problem:
                if not before:
                    raise KathrineError(f"{url}: the server refuses to send it", "check the address") from problem
                path.unlink()  # what is here is longer than the file: another one
            except Busy as problem:
                breaks += 1
                if length(path) > before and breaks < MOST_BREAKS:
                    failures = 0  # it moves: go on at once
                    self.say(f"{path.name}: {problem}, going on from {length(path) / 1e6:.1f} MB")
                else:
                    failures += 1
                    self._wait(url, problem, failures)

    def _append(self, url: str, path: Path, before: int, size: int | None, advance: Callable[[float], Any]) -> None:
        headers = {"Range": f"bytes={before}-"} if before else {}
        with self._open(url, headers) as answer:
            goes_on = answer.status == 206 and starts_at(answer.headers.get("Content-Range", "")) == before
            if before and answer.status == 206 and not goes_on:
                raise RangeRefused
            with path.open("ab" if goes_on else "wb") as file:
                written = before if goes_on else 0
                for piece in pieces_of(answer):
                    file.write(piece)
                    written += len(piece)
                    advance(len(piece))
                    if size is not None and written > size:
                        return

    def _open(self, url: str, headers: dict[str, str]) -> http.client.HTTPResponse:
        """An answer with status 2xx."""
        if self.offline:
            raise KathrineError(
                f"{url} is not in the workspace and nothing may be fetched",
                "run `kathrine prepare` once with a network, and without run.offline",
            )
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
            raise KathrineError(
                f"'{url}' is no address of the web", "it has to begin with http:// or https:// and a host"
            )
        address = quote(url, safe="%/:?=&#~+,;@!$'()*[]")
        request = urllib.request.Request(address, headers={"User-Agent": USER_AGENT, **headers})
        self._take_turn()
        with web_errors(url):
            return self.opener.open(request, timeout=TIMEOUT)

    def _take_turn(self) -> None:
        pause = self.next_turn - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        self.next_turn = time.monotonic() + self.gap

    def _wait(self, url: str, problem: Busy, failures: int) -> None:
        """Wait before the next try. Raises: KathrineError after the last one."""
        if failures > len(WAITS):
            raise KathrineError(f"{url} could not be fetched: {problem}", REMEDY) from problem
        wait = WAITS[failures - 1] if problem.wait is None else min(problem.wait, LONGEST_WAIT)
        self.say(f"{url}: {problem}, again in {wait:g} s")
        time.sleep(wait)


def pieces_of(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    """The body piece by piece. Raises: Busy when the connection is lost before its announced end."""
    announced = answer.headers.get("Content-Length")
    received = 0
    while True:
        try:
            piece = answer.read1(PIECE)  # what has arrived: a kill loses no more than is on its way
        except (OSError, http.client.HTTPException) as problem:
            raise Busy(f"the connection was lost ({reason_of(problem)})") from problem
        if not piece:
            break
        received += len(piece)
        yield piece
    if announced is not None and announced.isdigit() and received < int(announced):
        raise Busy(f"the connection was lost after {received} of {announced} bytes")


@contextmanager
def web_errors(url: str) -> Iterator[None]:
    """Turns urllib's errors into Busy, NotThere, RangeRefused or a KathrineError."""
    try:
        yield
    except HTTPError as problem:
        with problem:
            status = problem.code
            target, asked = problem.headers.get("Location", ""), problem.headers.get("Retry-After", "")
        if status in (404, 410):
            raise NotThere(f"{url} does not exist (the server answers {status})", "check the address") from problem
        if status in (401, 403):
            raise KathrineError(
                f"{url} may not be read (the server answers {status})",
                "it is not public, or the server refuses this machine: leave the book out with `books`",
            ) from problem
        if status == 416:
            raise RangeRefused from problem
        if status == 429 or status >= 500:
            raise Busy(f"the server answers {status}", float(asked) if asked.isdigit() else None) from problem
        if 300 <= status < 400 and target:
            raise elsewhere(url, target) from problem
        raise KathrineError(f"{url}: the server answers {status} {problem.reason}", "check the base URLs") from problem
    except URLError as problem:
        raise Busy(f"no connection ({reason_of(problem.reason)})") from problem
    except (ValueError, http.client.InvalidURL) as problem:
        raise KathrineError(f"'{url}' is no address of the web: {problem}", "check the base URLs") from problem
    except (OSError, http.client.HTTPException) as problem:
        raise Busy(f"no connection ({reason_of(problem)})") from problem


def reason_of(problem: object) -> str:
    """One line."""
    return (str(problem).strip() or type(problem).__name__).splitlines()[0]


def starts_at(content_range: str) -> int | None:
    """First byte by a Content-Range header, or None."""
    first = content_range.removeprefix("bytes").strip().partition("-")[0]
    return int(first) if first.isdigit() else None


def length(path: Path) -> int:
    """Bytes of a file; 0 where there is none."""
    return path.stat().st_size if path.is_file() else 0


def no_answer(url: str, seconds: float = 5.0) -> str:
    """Why a host does not answer one short request, as a sentence, or an empty string where it does; any answer counts,
    as this asks for the host alone."""
    request = urllib.request.Request(url, method="HEAD", headers={"User-Agent": USER_AGENT})
    try:
        with web_opener().open(request, timeout=seconds):
            return ""
    except HTTPError as error:
        return f"{url} answers {error.code}; try again later" if error.code >= 500 else ""
    except (OSError, http.client.HTTPException) as error:
        return f"{url} does not answer ({getattr(error, 'reason', error)}); is there a network?"
