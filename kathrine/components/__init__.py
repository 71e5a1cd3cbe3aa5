"""The kinds of component: what a plugin can bring, as abstract classes with their Options.

A component is a thin class over plain functions that also work without kathrine. It is made from its options (the
recipe's table, validated) and its label (the table's name in the recipe). This module imports no torch, and a
component's module must not either: heavy imports belong inside methods, so that `kathrine check` stays quick.
"""

from kathrine.components.base import Component, Options, Progress
from kathrine.components.data import Language, Source, SourceContext, SpokenText, Step
from kathrine.components.finish import Exporter, FinishedRun, PlannedRun, RecipeAround, Tracker
from kathrine.components.metric import Metric, MetricContext, MetricFacts, MetricTake
from kathrine.components.model import ModelFamily, SpeechModel
from kathrine.components.protocols import Codec, Collated
from kathrine.components.training import Curriculum, Loss, LossOptions, Strategy, StrategyOptions

__all__ = [
    "Codec",
    "Collated",
    "Component",
    "Curriculum",
    "Exporter",
    "FinishedRun",
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
    "Progress",
    "RecipeAround",
    "Source",
    "SourceContext",
    "SpeechModel",
    "SpokenText",
    "Step",
    "Strategy",
    "StrategyOptions",
    "Tracker",
]
