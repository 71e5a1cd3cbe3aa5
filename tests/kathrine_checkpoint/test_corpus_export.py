"""The exporter `corpus`: a dataset that the real `datasets` opens and that is a source again; nothing is given away
that may not be."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from exported import Quiet, planned
from huggingface_hub import metadata_load

from kathrine import FinishedRun, KathrineError, Source
from kathrine.cards import missing_fields
from kathrine.corpus.licences import forbids
from kathrine.corpus.prepared import PreparedCorpus
from kathrine.train.folder import versions
from kathrine_checkpoint import CorpusExporter
from kathrine_checkpoint.manifest import file_hash
from kathrine_manifest import Manifest

sys.path.append(str(Path(__file__).parents[1] / "corpus"))
from corpus_fakes import FakeFamily, prepared
from prepared_users import same, source_corpus, using

PLACE = "https://huggingface.co/datasets/kari/tale/resolve/main/"


class Facts:
    """What a manifest says of the base model."""

    checkpoint, revision = "fake", "r1"


class Model:
    facts = Facts()
    originals: ClassVar[dict[str, Any]] = {}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> PreparedCorpus:
    return source_corpus(tmp_path_factory.mktemp("source"))


def sources(licence: str = "CC0-1.0") -> dict[str, Source]:
    return {name: Manifest(Manifest.Options(path="kari/tale", licence=licence)) for name in "ab"}


def run_of(corpus: Any, folder: Path) -> FinishedRun:
    plan = replace(planned("mine", {}, "norwegian"), sources=sources())
    unused: Any = None
    return FinishedRun(
        folder=folder,
        plan=plan,
        recipe={"run": {"folder": str(folder), "seed": 7}},
        workspace=plan.workspace,
        family=FakeFamily(),
        model=Model(),  # type: ignore[arg-type]
        strategies=(),
        claims=(),
        trainable={},
        weights_from="the weights of step 3",
        step=3,
        validation_loss=unused,
        text_gain=unused,
        speak=unused,
        language="norwegian",
        data=[{"name": "a", "hours": 0.5, "licence": ["CC0-1.0"]}],
        corpus=corpus,
        versions=versions(),
    )


def exporter(**options: Any) -> CorpusExporter:
    return CorpusExporter(CorpusExporter.Options(**options))


@pytest.fixture(scope="module")
def folder(corpus: PreparedCorpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("runs") / "export" / "corpus"
    result = exporter(consent="Everybody was asked.").export(run_of(corpus, made.parents[1]), made, Quiet())
    assert result.checks["utterances"] == len(corpus.rows)
    assert set(result.files) == {path.name for path in made.iterdir()}
    return made


def test_the_real_datasets_library_opens_it(folder: Path, corpus: PreparedCorpus, tmp_path: Path) -> None:
    from datasets import load_dataset

    found = load_dataset(str(folder), cache_dir=str(tmp_path))
    shown = [row for row in corpus.rows if not row.hidden]
    assert {split: len(rows) for split, rows in found.items()} == {
        split: sum(row.split == split for row in shown) for split in ("train", "validation")
    }
    for row in found["train"]:
        example = corpus.example(f"{row['entry']}/{row['id']}")
        assert row["codes"] == example.codes_FQ.flatten().tolist() and row["text"] == example.spoken["text"]
    assert len(load_dataset(str(folder), "reference", cache_dir=str(tmp_path))["reference"]) == 1


def test_the_page_about_exports_opens_it(folder: Path, corpus: PreparedCorpus, tmp_path: Path, monkeypatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "exports.md").read_text(encoding="utf-8")
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "load_dataset" in block]
    (tmp_path / "runs" / "curriculum" / "export").mkdir(parents=True)
    (tmp_path / "runs" / "curriculum" / "export" / "corpus").symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(code, "exports.md", "exec"), names)
    assert len(names["rows"]) == sum(row.split == "train" and not row.hidden for row in corpus.rows)


def test_it_is_a_source_again(folder: Path, corpus: PreparedCorpus, tmp_path: Path) -> None:
    same(prepared(tmp_path, using(str(folder))), corpus)


def test_card_and_manifest_say_what_it_is(folder: Path, corpus: PreparedCorpus) -> None:
    text = (folder / "README.md").read_text(encoding="utf-8")
    front = metadata_load(folder / "README.md")
    assert front is not None and (front["license"], front["language"]) == (["cc0-1.0"], ["no", "nb"])
    assert "## Voices and consent\n\nEverybody was asked.\n" in text and "| a | list | 16 |" in text
    assert "| a | 3 | not stated | CC0-1.0 |" in text
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["kind"], manifest["base"]["revision"]) == ("corpus", "r1")
    assert manifest["corpus"]["fingerprint"] == corpus.fingerprint and manifest["versions"]["packages"]["kathrine"]
    assert manifest["corpus"]["data"][0]["licence"] == ["CC0-1.0"]
    files = {path.name for path in folder.iterdir()} - {"manifest.json"}
    assert {name: file_hash(folder / name) for name in files} == {
        name: facts["sha256"] for name, facts in manifest["files"].items()
    }
    assert not {"manifest.jsonl", "corpus.html"} & files
    told = "".join(path.read_text(encoding="utf-8") for path in folder.iterdir() if path.suffix != ".parquet")
    assert str(corpus.folder.parent) not in told and str(folder.parent) not in told


def test_the_front_matter_is_known_as_far_as_it_can_be(folder: Path) -> None:
    plan = replace(planned("mine", {}, "norwegian"), sources=sources())
    metadata = exporter().card_metadata(plan)
    assert missing_fields(metadata, CorpusExporter.holds) == []
    front = metadata_load(folder / "README.md") or {}
    assert {name: front[name] for name in metadata} == metadata
    assert front.keys() - metadata.keys() == {"size_categories", "configs"}
    assert exporter(languages=["fo"]).card_metadata(plan)["language"] == ["fo"]
    unknown = replace(plan, sources={"a": Manifest(Manifest.Options(path="kari/tale"))})  # its card may say so
    assert "license" not in exporter().card_metadata(unknown)


def test_the_card_is_written_again_for_where_it_lies(folder: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    again = exporter(consent="Everybody was asked.")
    assert again.refresh_card(tmp_path, copy, PLACE)
    text = (copy / "README.md").read_text(encoding="utf-8")
    assert 'root = "kari/tale"' in text and 'load_dataset("kari/tale"' in text
    manifest = json.loads((copy / "manifest.json").read_text())
    assert manifest["files"]["README.md"]["sha256"] == file_hash(copy / "README.md")
    assert again.refresh_card(tmp_path, copy) and (copy / "README.md").read_text() == (folder / "README.md").read_text()
    (copy / "README.md").write_text("mine")
    progress = Quiet()
    assert not again.refresh_card(tmp_path, copy, PLACE, progress) and "edited by hand" in progress.warned[0]
    assert not again.refresh_card(tmp_path, tmp_path)


def test_a_licence_that_nobody_names_is_refused_before_the_run(tmp_path: Path) -> None:
    own = tmp_path / "mine.jsonl"
    own.write_text("")
    plan = planned("x", {}, "norwegian")
    plan = replace(plan, sources={**plan.sources, "mine": Manifest(Manifest.Options(path=str(own)))})
    (sentence,) = exporter().before_run(plan, Quiet())
    assert "the licence of the data entry 'mine' is not known" in sentence and 'licence_unknown = "allow"' in sentence
    assert list(exporter(licence_unknown="allow").before_run(plan, Quiet())) == []
    forbidden = replace(plan, sources=sources("CC-BY-ND-4.0"))
    problems = list(exporter(licence_unknown="allow").before_run(forbidden, Quiet()))
    assert len(problems) == 2 and "does not let you give away what is made of it" in problems[0]


def test_what_utterances_state_is_refused_once_it_is_known(corpus: PreparedCorpus, tmp_path: Path) -> None:
    entries = {**corpus.facts["entries"], "a": {**corpus.facts["entries"]["a"], "licence": ["CC0-1.0", "see card"]}}
    other = PreparedCorpus(corpus.folder, {**corpus.facts, "entries": entries}, corpus.fingerprint, corpus.rows)
    (sentence,) = exporter().before_training(planned("x", {}, None), other)
    assert "'a' is not known" in sentence
    with pytest.raises(KathrineError, match=r"export\.corpus: the licence of the data entry 'a' is not known"):
        exporter().export(run_of(other, tmp_path), tmp_path / "out", Quiet())
    assert not (tmp_path / "out").exists()


def test_a_copy_that_differs_is_not_kept(corpus: PreparedCorpus, tmp_path: Path, monkeypatch) -> None:
    import kathrine_checkpoint.corpus as module

    real = module.copy_dataset

    def shortened(source: Path, target: Path) -> None:
        real(source, target)
        (target / "train-00000-of-00001.parquet").write_bytes(
            (target / "validation-00000-of-00001.parquet").read_bytes()
        )

    monkeypatch.setattr(module, "copy_dataset", shortened)
    with pytest.raises(KathrineError, match="utterances after reloading, the corpus"):
        exporter().export(run_of(corpus, tmp_path), tmp_path / "out", Quiet())
    assert list(tmp_path.iterdir()) == []


def test_a_corpus_in_memory_can_not_be_published(tmp_path: Path) -> None:
    with pytest.raises(KathrineError, match="was trained on a corpus in memory"):
        exporter().export(run_of(None, tmp_path), tmp_path / "out", Quiet())


@pytest.mark.parametrize(
    ("licence", "refused"),
    [
        *((name, False) for name in ("CC0-1.0", "cc-by-nc-4.0", "public domain (LibriVox)", "CC-BY-SA-4.0", "odbl")),
        *((name, True) for name in ("CC-BY-ND-4.0", "cc-by-nc-nd-3.0", "All rights reserved", "no redistribution")),
    ],
)
def test_licences_by_name(licence: str, refused: bool) -> None:
    assert forbids(licence) == refused
