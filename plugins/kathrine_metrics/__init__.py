"""Metrics `asr`, `similarity`, `signal`, `articulation`, `cadence`, `prosody` and `language_id`."""

import kathrine
from kathrine_metrics.articulation import Articulation
from kathrine_metrics.asr import Asr
from kathrine_metrics.cadence import Cadence
from kathrine_metrics.language_id import LanguageId
from kathrine_metrics.prosody import Prosody
from kathrine_metrics.signal_quality import Signal
from kathrine_metrics.similarity import Similarity


@kathrine.hookimpl
def kathrine_metrics():
    return [Asr, Similarity, Signal, Articulation, Cadence, Prosody, LanguageId]
