"""Source `espeak`: texts spoken by espeak-ng, for trying things out."""

import kathrine
from kathrine_espeak.source import EspeakSource


@kathrine.hookimpl
def kathrine_sources():
    return [EspeakSource]
