"""What a plugin author tests with: tiny and toy models, toy data, places for tests, and conformance checks.

Each kind of component has a check. It takes a component, puts it through its contract on a small model or made-up
data, and raises `ConformanceError` with a sentence that says what is wrong and what the contract says. kathrine's own
components go through the same checks. Nothing here is used in a real run, needs a network or imports pytest;
fixtures for pytest stand in `kathrine.testing.fixtures`.
"""

from kathrine.progress import SilentProgress
from kathrine.testing.curricula import check_curriculum
from kathrine.testing.exporters import check_exporter, finished_run
from kathrine.testing.families import check_model_family
from kathrine.testing.languages import check_language
from kathrine.testing.losses import check_loss
from kathrine.testing.metrics import check_metric, made_up_takes
from kathrine.testing.places import registered, workspace
from kathrine.testing.problems import ConformanceError
from kathrine.testing.runs import RecipeRun, run_recipe
from kathrine.testing.sources import check_source
from kathrine.testing.strategies import check_strategy
from kathrine.testing.tiny import made_up_items, made_up_text, made_up_wave, tiny_family, tiny_model
from kathrine.testing.toys import (
    ToyPlugin,
    ToyStages,
    ToyStagesOptions,
    TrainAll,
    TrainAllOptions,
    toy_recipe,
    toy_source,
)
from kathrine.testing.trackers import check_tracker
from kathrine.testing.watching import no_network, without_modules
from kathrine.toy import ToyFamily, toy_codes, toy_text
from kathrine.toy_corpus import ToyCorpus, ToySource, prepared_toy_corpus, toy_sentences

__all__ = [
    "ConformanceError",
    "RecipeRun",
    "SilentProgress",
    "ToyCorpus",
    "ToyFamily",
    "ToyPlugin",
    "ToySource",
    "ToyStages",
    "ToyStagesOptions",
    "TrainAll",
    "TrainAllOptions",
    "check_curriculum",
    "check_exporter",
    "check_language",
    "check_loss",
    "check_metric",
    "check_model_family",
    "check_source",
    "check_strategy",
    "check_tracker",
    "finished_run",
    "made_up_items",
    "made_up_takes",
    "made_up_text",
    "made_up_wave",
    "no_network",
    "prepared_toy_corpus",
    "registered",
    "run_recipe",
    "tiny_family",
    "tiny_model",
    "toy_codes",
    "toy_recipe",
    "toy_sentences",
    "toy_source",
    "toy_text",
    "without_modules",
    "workspace",
]
