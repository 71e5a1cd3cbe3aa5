"""The loopback Hub itself: the answers that the real client needs, asked with the standard library alone."""

from __future__ import annotations

import hashlib
import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from servers.hub import Hub, run_client

NAME = "owner/things"


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "repo" / "sub dir").mkdir(parents=True)
    (tmp_path / "repo" / "sub dir" / "rød.txt").write_text("hei\n", encoding="utf-8")
    (tmp_path / "repo" / "big.safetensors").write_bytes(bytes(range(256)) * 100)
    (tmp_path / "repo" / "empty.txt").touch()
    return tmp_path / "repo"


@pytest.fixture
def hub(folder):
    with Hub() as server:
        server.add(NAME, folder)
        server.add(NAME, folder, revision="refs/convert/parquet")
        yield server


def ask(hub: Hub, path: str, method: str = "GET", body: bytes | None = None, **headers: str):
    request = urllib.request.Request(hub.url + path, body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as problem:
        return problem.code, dict(problem.headers), problem.read()


def test_files_whole_in_part_and_as_facts(hub, folder):
    path = f"/datasets/{NAME}/resolve/main/big.safetensors"
    content = (folder / "big.safetensors").read_bytes()
    status, headers, body = ask(hub, path, "HEAD")
    assert (status, body, headers["Content-Length"]) == (200, b"", "25600")
    assert headers["X-Linked-Etag"] == headers["ETag"] == f'"{hashlib.sha256(content).hexdigest()}"'
    assert headers["X-Linked-Size"] == "25600" and len(headers["X-Repo-Commit"]) == 40
    assert ask(hub, path)[2] == content
    status, headers, body = ask(hub, path, Range="bytes=100-199")
    assert (status, body, headers["Content-Range"]) == (206, content[100:200], "bytes 100-199/25600")
    assert ask(hub, path, Range="bytes=25600-")[0] == 416
    status, headers, body = ask(hub, f"/datasets/{NAME}/resolve/main/sub%20dir/r%C3%B8d.txt")
    assert body == b"hei\n" and headers["ETag"] == f'"{hashlib.sha1(b"blob 4" + bytes(1) + body).hexdigest()}"'
    assert "X-Linked-Etag" not in headers
    assert hub.fetched() == ["big.safetensors", "big.safetensors", "sub dir/rød.txt"]


@pytest.mark.parametrize("revision", ["main", "refs%2Fconvert%2Fparquet", "SHA"])
def test_listings_by_every_kind_of_revision(hub, revision):
    sha = hub.repositories["datasets", NAME].revisions["main"].sha
    revision = sha if revision == "SHA" else revision
    facts = json.loads(ask(hub, f"/api/datasets/{NAME}/revision/{revision}")[2])
    assert len(facts["sha"]) == 40 and len(facts["siblings"]) == 3
    whole = json.loads(ask(hub, f"/api/datasets/{NAME}/tree/{revision}?recursive=true")[2])
    assert {entry["path"]: entry["type"] for entry in whole} == {
        "big.safetensors": "file",
        "empty.txt": "file",
        "sub dir": "directory",
        "sub dir/rød.txt": "file",
    }
    flat = json.loads(ask(hub, f"/api/datasets/{NAME}/tree/{revision}")[2])
    assert {entry["path"] for entry in flat} == {"big.safetensors", "empty.txt", "sub dir"}
    below = json.loads(ask(hub, f"/api/datasets/{NAME}/tree/{revision}/sub%20dir")[2])
    assert [entry["path"] for entry in below] == ["sub dir/rød.txt"]
    body = json.dumps({"paths": ["big.safetensors", "none"]}).encode()
    headers = {"Content-Type": "application/json"}
    told = json.loads(ask(hub, f"/api/datasets/{NAME}/paths-info/{revision}", "POST", body, **headers)[2])
    assert [(entry["path"], entry["lfs"]["size"]) for entry in told] == [("big.safetensors", 25600)]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/datasets/owner/none", 404, "RepoNotFound"),
        (f"/api/models/{NAME}", 404, "RepoNotFound"),
        (f"/api/datasets/{NAME}/revision/v9", 404, "RevisionNotFound"),
        (f"/datasets/{NAME}/resolve/main/none.txt", 404, "EntryNotFound"),
        ("/api/something-new", 404, "NotFound"),
    ],
)
def test_errors_carry_their_code(hub, path, status, code):
    found, headers, _ = ask(hub, path)
    assert (found, headers["X-Error-Code"]) == (status, code)
    assert ("X-Repo-Commit" in headers) == (code == "EntryNotFound")


def test_planted_faults_come_as_often_as_asked(hub, folder):
    path = f"/datasets/{NAME}/resolve/main/big.safetensors"
    hub.fail("big.safetensors", 503, times=2)
    assert [ask(hub, path)[0] for _ in range(3)] == [503, 503, 200]
    hub.truncate("big.safetensors", keep=10)
    with pytest.raises(Exception, match=r"IncompleteRead|more expected"):
        ask(hub, path)
    assert ask(hub, path)[2] == (folder / "big.safetensors").read_bytes()


def test_the_real_client_takes_a_snapshot(hub, folder, tmp_path):
    code = "import sys, huggingface_hub as h; print(h.snapshot_download(sys.argv[1], repo_type='dataset'))"
    done = run_client(code, hub.environment(tmp_path / "home"), NAME)
    assert done.returncode == 0, done.stderr
    made = Path(done.stdout.strip())
    for path in folder.rglob("*.*"):
        assert (made / path.relative_to(folder)).read_bytes() == path.read_bytes()


def test_a_file_can_lie_elsewhere_with_wrong_bytes_and_without_ranges(hub, folder, tmp_path):
    path = f"/datasets/{NAME}/resolve/main/big.safetensors"
    content = (folder / "big.safetensors").read_bytes()
    hub.corrupt("big.safetensors", first=25000)
    damaged = ask(hub, path)[2]
    assert damaged[:25000] == content[:25000] and damaged[25000:] != content[25000:] and len(damaged) == len(content)
    assert ask(hub, path)[2] == content

    hub.redirect("big.safetensors")
    code = "import sys, huggingface_hub as h; print(h.hf_hub_download(*sys.argv[1:], repo_type='dataset'))"
    done = run_client(code, hub.environment(tmp_path / "home"), NAME, "big.safetensors")
    assert Path(done.stdout.strip()).read_bytes() == content, done.stderr
    assert [entry.status for entry in hub.log if entry.path == path][-1] == 302
    assert hub.log[-1].path == "/cdn" + path

    hub.gives_ranges = False
    status, headers, body = ask(hub, path, Range="bytes=0-9")
    assert (status, body) == (200, content) and "Accept-Ranges" not in headers
