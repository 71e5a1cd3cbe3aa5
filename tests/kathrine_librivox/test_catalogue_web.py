"""The visitor of LibriVox and archive.org, against a loopback server: patient, resumable, polite, and careful."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from servers.librivox import LibrivoxServer

from kathrine import KathrineError
from kathrine_librivox.catalogue import web as web_module
from kathrine_librivox.catalogue.web import NotThere, Web, starts_at

BODY = bytes(range(256)) * 2000


@pytest.fixture
def site():
    with LibrivoxServer() as server:
        server.contents["texts/a.txt"] = BODY
        yield server


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def web(told) -> Web:
    return Web(1000, offline=False, say=told.append)


def fetch(web: Web, site: LibrivoxServer, path: Path, size: int | None = len(BODY)) -> list[int]:
    moved: list[int] = []
    web.download(f"{site.url}/texts/a.txt", path, size, moved.append)
    return moved


def test_a_page_is_read_with_a_name_and_within_the_polite_rate(site):
    slow = Web(20, offline=False, say=print)
    began = time.monotonic()
    for _ in range(4):
        assert slow.read(f"{site.url}/texts/a.txt") == BODY
    assert time.monotonic() - began >= 3 / 20
    assert all(request.agent.startswith("kathrine/") for request in site.log)


@pytest.mark.parametrize(("status", "message"), [(401, "401"), (403, "403"), (418, "418")])
def test_a_refusal_is_told_and_not_repeated(site, web, status, message):
    site.fail("/texts/a.txt", status, times=9)
    with pytest.raises(KathrineError, match=message) as caught:
        web.read(f"{site.url}/texts/a.txt")
    assert caught.value.hint and len(site.log) == 1 and not isinstance(caught.value, NotThere)


def test_what_is_not_there_is_an_error_of_its_own(site, web):
    with pytest.raises(NotThere, match="texts/none"):
        web.read(f"{site.url}/texts/none")
    site.fail("/texts/a.txt", 410)
    with pytest.raises(NotThere, match="410"):
        web.read(f"{site.url}/texts/a.txt")


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_busy_server_is_asked_again_until_it_answers(site, web, told, monkeypatch, status):
    monkeypatch.setattr(web_module, "WAITS", (0.0, 0.0, 0.0))
    site.fail("/texts/a.txt", status, times=3)
    assert web.read(f"{site.url}/texts/a.txt") == BODY
    assert [request.status for request in site.log] == [status] * 3 + [200]
    assert len(told) == 3 and str(status) in told[0]
    site.fail("/texts/a.txt", status, times=4)
    with pytest.raises(KathrineError, match=f"could not be fetched: the server answers {status}") as caught:
        web.read(f"{site.url}/texts/a.txt")
    assert "what is complete is kept" in caught.value.hint


def test_the_wait_that_a_server_asks_for_is_kept(site, web, told):
    site.fail("/texts/a.txt", 503)  # with Retry-After: 0
    began = time.monotonic()
    web.read(f"{site.url}/texts/a.txt")
    assert time.monotonic() - began < 0.9 and "again in 0 s" in told[0]


def test_a_body_that_breaks_off_is_read_again(site, web, monkeypatch):
    monkeypatch.setattr(web_module, "WAITS", (0.0, 0.0, 0.0))
    site.cut("texts/a.txt", 1000, 70000)
    assert web.read(f"{site.url}/texts/a.txt") == BODY and len(site.log) == 3


def test_no_connection_is_an_error_with_a_remedy(web, monkeypatch):
    monkeypatch.setattr(web_module, "WAITS", (0.0, 0.0, 0.0))
    with pytest.raises(KathrineError, match="no connection"):
        web.read("http://127.0.0.1:9/x")


def test_a_page_without_an_end_is_refused(site, web, monkeypatch):
    monkeypatch.setattr(web_module, "LARGEST_PAGE", 1 << 18)
    with pytest.raises(KathrineError, match="does not end"):
        web.read(f"{site.url}/texts/a.txt")


def test_json_and_what_is_none(site, web):
    site.contents["texts/b.json"] = b'{"a": [1]}'
    assert web.json(f"{site.url}/texts/b.json") == {"a": [1]}
    site.contents["texts/b.json"] = b"<html>Log in</html>"
    with pytest.raises(KathrineError, match="not answer with JSON but with '<html>"):
        web.json(f"{site.url}/texts/b.json")


def test_redirects_are_followed_to_the_web_only(site, web, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("x")
    site.redirects["/moved"] = f"{site.url}/texts/a.txt"
    assert web.read(f"{site.url}/moved") == BODY
    for target in (f"file://{secret}", "ftp://127.0.0.1/x", "data:text/plain,hei"):
        site.redirects["/moved"] = target
        with pytest.raises(KathrineError, match="no address of the web"):
            web.read(f"{site.url}/moved")
    site.redirects["/moved"] = "/moved"
    with pytest.raises(KathrineError):
        web.read(f"{site.url}/moved")
    for address in (f"file://{secret}", "ftp://127.0.0.1/x", str(secret), "http://127.0.0.1:port/x", "http://"):
        with pytest.raises(KathrineError, match="no address of the web"):
            web.read(address)


def test_offline_asks_nothing(site):
    with pytest.raises(KathrineError, match="nothing may be fetched") as caught:
        Web(1000, offline=True, say=print).read(f"{site.url}/texts/a.txt")
    assert "run.offline" in caught.value.hint and not site.log


def test_a_download_goes_on_where_it_broke_off(site, web, told, tmp_path):
    site.cut("texts/a.txt", 100_000, 1000, 200_000)
    moved = fetch(web, site, tmp_path / "a.part")
    assert (tmp_path / "a.part").read_bytes() == BODY and sum(moved) == len(BODY)
    assert [request.range for request in site.log] == ["", "bytes=100000-", "bytes=101000-", "bytes=301000-"]
    assert len(told) == 3  # each step said, none waited for


def test_a_download_that_does_not_move_is_given_up(site, web, tmp_path, monkeypatch):
    monkeypatch.setattr(web_module, "WAITS", (0.0, 0.0, 0.0))
    site.cut("texts/a.txt", 500, 0, 0, 0, 0, 0, 0)
    with pytest.raises(KathrineError, match="the connection was lost"):
        fetch(web, site, tmp_path / "a.part")
    assert (tmp_path / "a.part").read_bytes() == BODY[:500]
    fetch(web, site, tmp_path / "a.part")
    assert (tmp_path / "a.part").read_bytes() == BODY


def test_a_complete_file_is_not_asked_for(site, web, tmp_path):
    (tmp_path / "a.part").write_bytes(BODY)
    assert fetch(web, site, tmp_path / "a.part") == [] and not site.log


def test_a_server_that_ignores_ranges_starts_over(site, web, tmp_path):
    (tmp_path / "a.part").write_bytes(b"other")
    site.ranges = False
    fetch(web, site, tmp_path / "a.part")
    assert (tmp_path / "a.part").read_bytes() == BODY


def test_a_beginning_that_is_longer_than_the_file_is_thrown_away(site, web, tmp_path):
    (tmp_path / "a.part").write_bytes(BODY + b"more")
    fetch(web, site, tmp_path / "a.part", size=None)
    assert (tmp_path / "a.part").read_bytes() == BODY and [r.status for r in site.log] == [416, 200]
    site.fail("/texts/a.txt", 416)
    with pytest.raises(KathrineError, match="refuses to send it"):
        fetch(web, site, tmp_path / "b.part")


def test_no_more_is_written_than_the_size_allows(site, web, tmp_path):
    fetch(web, site, tmp_path / "a.part", size=1000)
    assert 1000 < (tmp_path / "a.part").stat().st_size <= web_module.PIECE


def test_a_full_disk_is_not_taken_for_a_lost_connection(site, web, tmp_path):
    with pytest.raises(OSError, match="No space"):
        fetch(web, site, Path("/dev/full"))


@pytest.mark.parametrize(("header", "first"), [("bytes 5-9/10", 5), ("bytes */10", None), ("", None)])
def test_content_range(header, first):
    assert starts_at(header) == first
