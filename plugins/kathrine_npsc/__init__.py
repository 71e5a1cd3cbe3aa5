"""Source `npsc`: the Norwegian Parliamentary Speech Corpus, read from its day files."""

import kathrine
from kathrine_npsc.source import NpscSource


@kathrine.hookimpl
def kathrine_sources():
    return [NpscSource]
