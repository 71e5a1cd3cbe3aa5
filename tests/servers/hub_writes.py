"""The loopback Hub, written to: what the real client asks when it creates a repository and uploads.

Answers whoami, create, settings, validate-yaml, preupload, the LFS batch with its PUT and verify, commits, branches,
tags and their removal. What is uploaded lies in a folder. It can be `away`, and break uploads off. Not covered: Xet,
multipart uploads, pull requests; this is no proof of the real Hub."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from servers.hub import LFS_SUFFIXES, File, Hub, Repository, Revision
from servers.hub_answers import HubHandler
from servers.hub_cards import card_problems

if TYPE_CHECKING:
    from collections.abc import Callable


SIGNED = "X-Amz-Signature=5ec4e7"
"""Where large files are sent to: the real Hub's addresses let everybody write who has them."""


@dataclass
class Account:
    """Who a token belongs to, and what it may do."""

    name: str
    role: str = "write"
    orgs: dict[str, str] = field(default_factory=dict)
    scoped: list[dict[str, Any]] = field(default_factory=list)

    def answer(self) -> dict[str, Any]:
        token = {"displayName": "test", "role": self.role, "fineGrained": {"scoped": self.scoped}}
        orgs = [{"name": name, "roleInOrg": role} for name, role in self.orgs.items()]
        return {"type": "user", "name": self.name, "orgs": orgs, "auth": {"type": "access_token", "accessToken": token}}


class WritingHandler(HubHandler):
    """Answers one request that may write."""

    hub: WritableHub

    @property
    def account(self) -> Account | None:
        return self.hub.accounts.get((self.headers.get("Authorization") or "").removeprefix("Bearer "))

    def parse_request(self) -> bool:
        """A Hub that is away hangs up before it has answered anything."""
        if self.hub.away:
            self.hub.away -= 1
            self.hub.refused += 1
            self.close_connection = True
            return False
        return super().parse_request()

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def do_GET(self) -> None:
        if urlsplit(self.path).path == "/api/whoami-v2":
            self.file = ""
            account = self.account
            self.send_json(account.answer()) if account else self.refuse("Unauthorized", 401)
            return
        super().do_GET()

    def do_POST(self) -> None:
        self.answer_post()
        if self.hub.on_answer is not None:
            self.hub.on_answer(urlsplit(self.path).path)

    def answer_post(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if "/paths-info/" in path:
            super().do_POST()
            return
        self.file = ""
        body = self.body()
        if path == "/api/validate-yaml":
            wanted = json.loads(body)
            problems = card_problems(wanted["content"], wanted.get("repoType", "model"))
            self.send_json({"errors": problems, "warnings": []}, 400 if problems else 200)
        elif self.account is None or self.account.role == "read":
            self.refuse("Forbidden", 403)
        elif path == "/api/repos/create":
            self.create(json.loads(body))
        elif match := re.fullmatch(r"/(datasets/)?([^/]+/[^/]+)\.git/info/lfs/objects/batch", path):
            self.lfs_batch(json.loads(body))
        elif match := re.fullmatch(r"/api/(\w+)/([^/]+/[^/]+)/preupload/(.+)", path):
            self.preupload(self.hub.repositories[match[1], match[2]], match[3], json.loads(body))
        elif match := re.fullmatch(r"/api/(\w+)/([^/]+/[^/]+)/commit/(.+)", path):
            self.commit(self.hub.repositories[match[1], match[2]], match[3], body)
        elif match := re.fullmatch(r"/api/(\w+)/([^/]+/[^/]+)/(branch|tag)/(.+)", path):
            self.name_revision(self.hub.repositories[match[1], match[2]], match[3], match[4], json.loads(body or b"{}"))
        elif path.startswith("/lfs/verify/"):
            self.send_json({}) if self.hub.has(json.loads(body)["oid"]) else self.refuse("NotFound")
        else:
            self.refuse("NotFound")

    def do_DELETE(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.file = ""
        body = self.body()
        if self.account is None or self.account.role == "read":
            self.refuse("Forbidden", 403)
        elif match := re.fullmatch(r"/api/(\w+)/([^/]+/[^/]+)/(branch|tag)/(.+)", path):
            repository = self.hub.repositories[match[1], match[2]]
            names = repository.tags if match[3] == "tag" else repository.revisions
            self.send_json({}) if names.pop(match[4], None) else self.refuse("RevisionNotFound")
        elif path == "/api/repos/delete":
            wanted = json.loads(body)
            name = f"{wanted.get('organization') or self.account.name}/{wanted['name']}"
            gone = self.hub.repositories.pop((wanted.get("type", "model") + "s", name), None)
            self.send_json({}) if gone else self.refuse("RepoNotFound")
        else:
            self.refuse("NotFound")

    def name_revision(self, repository: Repository, what: str, place: str, wanted: dict[str, Any]) -> None:
        """A branch at a starting point, or a tag of a revision; 409 where the name is taken."""
        names = repository.tags if what == "tag" else repository.revisions
        name = wanted["tag"] if what == "tag" else place
        start = repository.find(place if what == "tag" else wanted.get("startingPoint", "main"))
        if name in names:
            self.send_json({"error": f"{what} {name} exists already"}, 409)
        elif start is None:
            self.refuse("RevisionNotFound")
        else:
            names[name] = start
            self.send_json({})

    def do_PUT(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.file = ""
        if match := re.fullmatch(r"/api/(\w+)/([^/]+/[^/]+)/settings", path):
            settings = json.loads(self.body())
            self.hub.repositories[match[1], match[2]].private = settings["visibility"] == "private"
            self.send_json({})
            return
        oid = path.removeprefix("/lfs/")
        self.hub.uploading(oid)
        if self.hub.dropping():
            self.rfile.read(min(1024, int(self.headers.get("Content-Length") or 1)))
            self.close_connection = True
            return
        content = self.body()
        if hashlib.sha256(content).hexdigest() != oid:
            self.refuse("BadRequest", 400)
            return
        self.hub.keep(oid, content)
        self.send(200)

    def create(self, wanted: dict[str, Any]) -> None:
        assert self.account is not None
        owner = wanted.get("organization") or self.account.name
        kind, name = wanted.get("type", "model") + "s", f"{owner}/{wanted['name']}"
        url = f"{self.hub.url}/{'' if kind == 'models' else kind + '/'}{name}"
        if (kind, name) in self.hub.repositories:
            self.send_json({"error": "You already created this repo", "url": url}, 409)
            return
        made = Repository(kind, name, private=wanted.get("visibility") == "private")
        made.revisions["main"] = Revision(hashlib.sha1(name.encode()).hexdigest(), {})
        self.hub.repositories[kind, name] = made
        self.send_json({"url": url})

    def preupload(self, repository: Repository, revision: str, wanted: dict[str, Any]) -> None:
        files = repository.revisions[revision].files
        told = []
        for each in wanted["files"]:
            lfs = Path(each["path"]).suffix in LFS_SUFFIXES and each["size"] > 0
            answer = {"path": each["path"], "uploadMode": "lfs" if lfs else "regular", "shouldIgnore": False}
            if each["path"] in files:
                answer["oid"] = files[each["path"]].oid
            told.append(answer)
        self.send_json({"files": told})

    def lfs_batch(self, wanted: dict[str, Any]) -> None:
        objects = []
        for each in wanted["objects"]:
            actions = {
                "upload": {"href": f"{self.hub.url}/lfs/{each['oid']}?{SIGNED}"},
                "verify": {"href": f"{self.hub.url}/lfs/verify/{each['oid']}"},
            }
            objects.append({**each} if self.hub.has(each["oid"]) else {**each, "actions": actions})
        self.send_json({"transfer": "basic", "objects": objects})

    def commit(self, repository: Repository, revision: str, body: bytes) -> None:
        files = dict(repository.revisions[revision].files)
        before = repository.revisions[revision]
        for line in filter(None, body.decode().split("\n")):
            each = json.loads(line)
            value = each["value"]
            if each["key"] == "header" and value.get("parentCommit") not in (None, before.sha):
                self.send_json({"error": "the branch has moved on"}, 412)
                return
            if each["key"] == "file":
                content = base64.b64decode(value["content"])
                oid = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
                files[value["path"]] = File(self.hub.keep(oid, content), len(content), oid, False)
            elif each["key"] == "lfsFile":
                if not self.hub.has(value["oid"]):
                    self.refuse("BadRequest", 400)
                    return
                files[value["path"]] = File(self.hub.place(value["oid"]), value["size"], value["oid"], True)
            elif each["key"] == "deletedFile":
                files.pop(value["path"], None)
        summary = json.dumps([(name, facts.oid) for name, facts in sorted(files.items())])
        made = Revision(hashlib.sha1((before.sha + summary).encode()).hexdigest(), files)
        repository.history.append(before)
        repository.revisions[revision] = made
        self.hub.commits.append(made)
        url = f"{self.hub.url}/{repository.kind}/{repository.name}/commit/{made.sha}"
        self.send_json({"commitOid": made.sha, "commitUrl": url})


class WritableHub(Hub):
    """The server, with accounts by token. Use as a context manager.

    Args:
        folder: takes what is uploaded. commits: in the order in which they came. puts: oids whose upload began.
        on_put: called with the oid at the beginning of each upload. away: how many requests it will hang up on;
        refused counts them. drops: uploads to come that break off. on_answer: called with the path after a POST.
    """

    handler = WritingHandler

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.accounts: dict[str, Account] = {}
        self.commits: list[Revision] = []
        self.puts: list[str] = []
        self.on_put: Callable[[str], None] | None = None
        self.writing = threading.Lock()
        self.away = 0
        self.on_answer: Callable[[str], None] | None = None
        self.refused = 0
        self.drops = 0

    def place(self, oid: str) -> Path:
        return self.folder / oid

    def has(self, oid: str) -> bool:
        return self.place(oid).is_file()

    def keep(self, oid: str, content: bytes) -> Path:
        with self.writing:
            temporary = self.folder / f".{oid}"
            temporary.write_bytes(content)
            temporary.replace(self.place(oid))
        return self.place(oid)

    def add_file(self, name: str, kind: str, file: str, content: bytes) -> None:
        """A commit by somebody else: one regular file more."""
        repository = self.repositories[kind, name]
        before = repository.revisions["main"]
        oid = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        files = {**before.files, file: File(self.keep(oid, content), len(content), oid, False)}
        repository.history.append(before)
        repository.revisions["main"] = Revision(hashlib.sha1((before.sha + oid).encode()).hexdigest(), files)

    def uploading(self, oid: str) -> None:
        with self.writing:
            self.puts.append(oid)
        if self.on_put is not None:
            self.on_put(oid)

    def dropping(self) -> bool:
        """Whether this upload is to break off."""
        with self.writing:
            drop = self.drops > 0
            self.drops -= drop
            return drop

    def files(self, name: str, kind: str = "datasets", revision: str = "main") -> dict[str, File]:
        """Files of the newest commit of a repository."""
        return self.repositories[kind, name].revisions[revision].files
