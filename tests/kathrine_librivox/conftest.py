"""What the tests of the catalogue share: one unbroken run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from librivox_shelf import fill, options_of
from servers.librivox import LibrivoxServer
from source_client import run_source


@dataclass(frozen=True)
class Whole:
    """An unbroken run. told: what the source told; paths: what it asked for; chapters: what it kept of them."""

    told: dict
    folder: Path
    paths: list[str]

    @property
    def chapters(self) -> Path:
        (folder,) = self.folder.glob("sources/librivox_catalogue/*/chapters")
        return folder


@pytest.fixture(scope="session")
def whole(tmp_path_factory) -> Whole:
    folder = tmp_path_factory.mktemp("whole")
    with LibrivoxServer() as site:
        fill(site)
        component = "kathrine_librivox.catalogue_source:CatalogueSource"
        told = run_source(component, options_of(site), folder)
        return Whole(told, folder, site.paths())
