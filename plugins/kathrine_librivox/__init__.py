"""Source `librivox`: read-aloud books, segmented, as metadata.csv and one file an utterance."""

import kathrine
from kathrine_librivox.source import LibrivoxSource


@kathrine.hookimpl
def kathrine_sources():
    return [LibrivoxSource]
