"""kathrine: teach a speech model a new language.

The names below are what a plugin author imports. Nothing here imports torch.
"""

from kathrine.components import (
    Component,
    Curriculum,
    Exporter,
    FinishedRun,
    Language,
    Loss,
    LossOptions,
    Metric,
    MetricContext,
    MetricFacts,
    MetricTake,
    ModelFamily,
    Options,
    PlannedRun,
    Source,
    SourceContext,
    SpeechModel,
    SpokenText,
    Strategy,
    StrategyOptions,
    Tracker,
)
from kathrine.errors import KathrineError
from kathrine.generic import GenericLanguage
from kathrine.hookspecs import hookimpl
from kathrine.workspace import Workspace

__version__ = "0.1.0"

__all__ = [
    "Component",
    "Curriculum",
    "Exporter",
    "FinishedRun",
    "GenericLanguage",
    "KathrineError",
    "Language",
    "Loss",
    "LossOptions",
    "Metric",
    "MetricContext",
    "MetricFacts",
    "MetricTake",
    "ModelFamily",
    "Options",
    "PlannedRun",
    "Source",
    "SourceContext",
    "SpeechModel",
    "SpokenText",
    "Strategy",
    "StrategyOptions",
    "Tracker",
    "Workspace",
    "__version__",
    "hookimpl",
]
