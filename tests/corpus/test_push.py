"""A prepared corpus pushed to a Hub and used as a source: through the real client, and nothing is encoded again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from corpus_fakes import prepared, recipe, utterances
from prepared_users import same, source_corpus
from servers.hub import run_client
from servers.hub_writes import Account, WritableHub

from kathrine.corpus.card import iso_code
from kathrine.corpus.prepared import PreparedCorpus

NAME = "kari/tale"
PUSH = """
import sys
from kathrine.corpus.prepared import PreparedCorpus
from kathrine.corpus.push import check_push, push
from kathrine.errors import KathrineError
from kathrine.progress import PlainProgress
folder, repo, public = sys.argv[1], sys.argv[2], sys.argv[3:] == ["--public"]
try:
    check_push(repo, public)
    print(push(PreparedCorpus.open(folder), repo, public, PlainProgress(sys.stdout)))
except KathrineError as error:
    sys.exit(f"{error.message} | {error.hint}")
"""
USE = """
import json, sys
from pathlib import Path
from prepared_users import use
corpus, calls = use(Path(sys.argv[1]), sys.argv[2], offline=sys.argv[3:] == ["offline"])
print(json.dumps([str(corpus.folder), calls]))
"""
LOAD = """
import json, sys
from datasets import load_dataset
told = {}
for where in sys.argv[1:]:
    found = load_dataset(where)
    row = found["train"][0]
    hidden = load_dataset(where, "reference")["reference"]
    told[where] = [{split: len(rows) for split, rows in found.items()}, row["text"], len(row["codes"]), len(hidden)]
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> PreparedCorpus:
    return source_corpus(tmp_path_factory.mktemp("source"))


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[WritableHub]:
    with WritableHub(tmp_path / "stored") as server:
        server.accounts["hf_write"] = Account("kari", orgs={"stortinget": "read", "studio": "write"})
        server.accounts["hf_read"] = Account("kari", role="read")
        scope = {"entity": {"type": "user", "name": "kari"}, "permissions": ["repo.write"]}
        server.accounts["hf_fine"] = Account("kari", role="fineGrained", scoped=[scope])
        server.accounts["hf_other"] = Account("kari", role="fineGrained")
        yield server


def pushed(
    hub: WritableHub, home: Path, corpus: PreparedCorpus, *options: str, token: str = "hf_write", repo: str = NAME
) -> Any:
    environment = hub.environment(home, **({"HF_TOKEN": token} if token else {}))
    return run_client(PUSH, environment, str(corpus.folder), repo, *options)


def client(hub: WritableHub, home: Path, code: str, *arguments: str, fails: str = "") -> Any:
    """Run code that may import this module; what it printed as JSON, or None where it fails as it should."""
    environment = hub.environment(home, HF_TOKEN="hf_write")
    environment["PYTHONPATH"] = os.pathsep.join([environment["PYTHONPATH"], str(Path(__file__).parent)])
    done = run_client(code, environment, *arguments)
    if fails:
        assert done.returncode and fails in done.stderr
        return None
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_pushed_corpus_is_a_source_that_needs_no_codec(
    hub: WritableHub, corpus: PreparedCorpus, tmp_path: Path
) -> None:
    done = pushed(hub, tmp_path / "home", corpus)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"{hub.url}/datasets/{NAME}"
    repository = hub.repositories["datasets", NAME]
    assert repository.private
    files = hub.files(NAME)
    assert set(files) == {path.name for path in corpus.folder.iterdir()} - {"manifest.jsonl", "corpus.html"}
    # The marker came last, in a commit of its own.
    assert "complete.json" not in hub.commits[0].files and "train-00000-of-00001.parquet" in hub.commits[0].files
    card = files["README.md"].path.read_text(encoding="utf-8")
    assert f'root = "{NAME}"' in card and "| a | list | 16 |" in card and "CC0-1.0" in card
    assert str(corpus.folder.parent) not in "".join(
        path.path.read_text(encoding="utf-8") for name, path in files.items() if not name.endswith(".parquet")
    )

    folder, calls = client(hub, tmp_path / "other", USE, str(tmp_path / "used"), NAME)
    found = PreparedCorpus.open(folder)
    same(found, corpus)
    assert calls["tokenise"] == 24 and found.facts["entries"]["a"]["licence"] == ["CC0-1.0"]
    # Everything is here now: again, without the Hub.
    assert client(hub, tmp_path / "other", USE, str(tmp_path / "used"), NAME, "offline")[0] == folder


def test_pushing_again_sends_nothing_and_another_corpus_replaces_it(
    hub: WritableHub, corpus: PreparedCorpus, tmp_path: Path
) -> None:
    assert pushed(hub, tmp_path / "home", corpus).returncode == 0
    puts, commits = len(hub.puts), len(hub.commits)
    again = pushed(hub, tmp_path / "home2", corpus, token="hf_fine")
    assert "holds this corpus already" in again.stdout and (len(hub.puts), len(hub.commits)) == (puts, commits)
    small = prepared(tmp_path / "ws", recipe(utterances(tmp_path / "audio", 6), validation_share=0.0))
    assert pushed(hub, tmp_path / "home3", small, "--public").returncode == 0
    assert not hub.repositories["datasets", NAME].private
    assert {name for name in hub.files(NAME) if "-of-" in name} == {"train-00000-of-00001.parquet"}
    refused = pushed(hub, tmp_path / "home3", small)
    assert refused.stderr.startswith(f"{NAME} exists and is public | say --public")


@pytest.mark.parametrize(
    ("token", "repo", "sentence"),
    [
        ("", NAME, "nobody is logged in to the Hub | `hf auth login`"),
        ("hf_unknown", NAME, "the Hub does not know the token | `hf auth login`"),
        ("hf_read", NAME, "the token that is logged in may not write to kari"),
        ("hf_other", NAME, "the token that is logged in may not write to kari"),
        ("hf_write", "stortinget/tale", "kari may not write to stortinget | push to one of: kari, studio"),
        ("hf_write", "tale", "--push tale: that is no dataset id"),
    ],
)
def test_whoever_may_not_write_is_told_before_any_work(
    hub: WritableHub, corpus: PreparedCorpus, tmp_path: Path, token: str, repo: str, sentence: str
) -> None:
    done = pushed(hub, tmp_path / "home", corpus, token=token, repo=repo)
    assert done.returncode == 1 and done.stderr.startswith(sentence), done.stderr
    assert not hub.repositories and "hf_" not in done.stderr + done.stdout


def test_a_push_that_is_killed_goes_on(hub: WritableHub, corpus: PreparedCorpus, tmp_path: Path) -> None:
    reached, go = threading.Event(), threading.Event()

    def hold(oid: str) -> None:
        if len({*hub.puts}) == 3:
            reached.set()
            go.wait(20)

    hub.on_put = hold
    environment = hub.environment(tmp_path / "home", HF_TOKEN="hf_write")
    process = subprocess.Popen([sys.executable, "-c", PUSH, str(corpus.folder), NAME], env=environment)
    assert reached.wait(60)
    process.send_signal(signal.SIGKILL)
    process.wait()
    hub.on_put = None
    go.set()
    assert not hub.commits and "complete.json" not in hub.files(NAME)
    client(hub, tmp_path / "h", USE, str(tmp_path / "u"), NAME, fails="is no complete prepared corpus")
    stored = {path.name for path in hub.folder.iterdir()}
    first = len(hub.puts)
    assert pushed(hub, tmp_path / "home", corpus).returncode == 0
    # What had arrived before the kill was not sent again, and everything is there once.
    assert not stored & set(hub.puts[first:])
    lfs = {facts.oid for name, facts in hub.files(NAME).items() if name.endswith(".parquet")}
    assert lfs <= {path.name for path in hub.folder.iterdir()} and len(hub.commits) == 2


def test_the_real_datasets_library_opens_it(hub: WritableHub, corpus: PreparedCorpus, tmp_path: Path) -> None:
    assert pushed(hub, tmp_path / "home", corpus).returncode == 0
    told = client(hub, tmp_path / "other", LOAD, str(corpus.folder), NAME)
    splits = {
        split: sum(row.split == split and not row.hidden for row in corpus.rows) for split in ("train", "validation")
    }
    first = corpus.example(next(row.key for row in corpus.rows if row.split == "train"))
    assert told[str(corpus.folder)] == told[NAME] == [splits, first.spoken["text"], first.codes_FQ.size, 1]


def test_the_card_of_a_corpus_says_what_it_is(corpus: PreparedCorpus) -> None:
    front, _, body = (
        (corpus.folder / "README.md").read_text(encoding="utf-8").removeprefix("---\n").partition("\n---\n")
    )
    told = yaml.safe_load(front)
    assert (
        told["license"] == ["cc0-1.0"] and told["language"] == ["no"] and told["pretty_name"] == "Prepared speech: a, b"
    )
    assert [iso_code(name) for name in ("norwegian", "nn", "en", "tag of my own")] == ["no", "nn", "en", ""]
    (default, reference) = told["configs"]
    assert [each["split"] for each in default["data_files"]] == ["train", "validation"]
    assert reference["data_files"] == [{"split": "reference", "path": "reference-*.parquet"}]
    prints = corpus.facts["fingerprints"]
    assert all(f"`{value}`" in body for value in (prints["codec"], prints["speaker"], corpus.fingerprint))
