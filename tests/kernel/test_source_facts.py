"""What sources and languages tell for cards: ids of datasets, licences, whose voices, codes of languages."""

from __future__ import annotations

import json
from pathlib import Path

from kathrine import GenericLanguage, Source
from kathrine.datafiles import SYNTHETIC_VOICES
from kathrine_librivox.catalogue_source import CatalogueSource
from kathrine_librivox.source import LibrivoxSource
from kathrine_manifest import Manifest
from kathrine_norwegian.language import NorwegianLanguage
from kathrine_npsc.source import NpscSource
from kathrine_prepared import Prepared


def npsc(**options: object) -> NpscSource:
    return NpscSource(NpscSource.Options(**options))


def librivox(**options: object) -> LibrivoxSource:
    return LibrivoxSource(LibrivoxSource.Options(**options))


def manifest(**options: object) -> Manifest:
    return Manifest(Manifest.Options(**options))


def test_datasets_of_the_hub(tmp_path: Path) -> None:
    assert tuple(npsc().hub_datasets()) == ("NbAiLab/NPSC",)
    assert tuple(librivox().hub_datasets()) == ("NbAiLab/nb-librivox",)
    assert tuple(manifest(path="google/fleurs").hub_datasets()) == ("google/fleurs",)
    assert tuple(Prepared(Prepared.Options(root="kari/tale")).hub_datasets()) == ("kari/tale",)
    for source in (
        npsc(root="kathrine:npsc"),
        npsc(root=str(tmp_path)),
        librivox(root="kathrine:nb-librivox"),
        manifest(path="data/rows.jsonl"),
        manifest(path=str(tmp_path)),
        Prepared(Prepared.Options(root=str(tmp_path))),
        CatalogueSource(),
    ):
        assert not source.hub_datasets(), source.options


def test_licences_as_far_as_options_tell(tmp_path: Path) -> None:
    own = tmp_path / "rows.jsonl"
    own.write_text("")
    assert npsc().licences() == ("CC0-1.0",)
    assert librivox().licences() is None and CatalogueSource().licences() is None
    assert manifest(path="google/fleurs", licence="CC-BY-4.0").licences() == ("CC-BY-4.0",)
    assert manifest(path="google/fleurs").licences() is None and manifest(path=str(own)).licences() == ()
    place = Prepared(Prepared.Options(root=str(tmp_path)))
    assert place.licences() is None
    entries = {"a": {"licence": ["CC0-1.0"]}, "b": {"licence": []}}
    (tmp_path / "facts.json").write_text(json.dumps({"entries": entries}))
    assert place.licences() == ()
    assert Prepared(Prepared.Options(root=str(tmp_path), entries=["a"])).licences() == ("CC0-1.0",)


def test_whose_voices_they_are() -> None:
    assert "parliament" in npsc().voices() and npsc(root="kathrine:npsc").voices() == SYNTHETIC_VOICES
    assert "volunteers" in librivox().voices() == CatalogueSource().voices()
    assert librivox(root="kathrine:nb-librivox").voices() == SYNTHETIC_VOICES
    assert manifest(path="a/b").voices() == ""


class Plain(Source):
    name = "plain"

    def prepare(self, context: object) -> None: ...

    def utterances(self, context: object) -> tuple[()]:
        return ()


class Danish(GenericLanguage):
    name = "danish"

    def code(self) -> str:
        return "da"


def test_a_plugin_that_says_nothing_is_no_mistake() -> None:
    source = Plain()
    assert (source.hub_datasets(), source.licences(), source.voices()) == ((), None, "")
    assert Danish().codes() == ("da",) and GenericLanguage().codes() == ()


def test_codes_of_norwegian() -> None:
    assert NorwegianLanguage().codes() == ("no", "nb")
    assert NorwegianLanguage(NorwegianLanguage.Options(variant="nn")).codes() == ("no", "nn")
