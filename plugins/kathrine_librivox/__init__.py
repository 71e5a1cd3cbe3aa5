"""Sources `librivox` (a segmented set of read-aloud books) and `librivox_catalogue` (chapters of the catalogue)."""

import kathrine
from kathrine_librivox.catalogue_source import CatalogueSource
from kathrine_librivox.source import LibrivoxSource


@kathrine.hookimpl
def kathrine_sources():
    return [LibrivoxSource, CatalogueSource]
