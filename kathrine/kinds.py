"""The kinds of component as data, and what makes a class one of them."""

from __future__ import annotations

import inspect
import re
from typing import Any

from kathrine import components
from kathrine.components import Component, Options
from kathrine.suggest import listing

NAME_PATTERN = re.compile(r"[a-z][a-z0-9_]*")

KINDS: dict[str, tuple[type[Component], type[Options], str]] = {
    "model": (components.ModelFamily, Options, "kathrine_models"),
    "source": (components.Source, Options, "kathrine_sources"),
    "language": (components.Language, Options, "kathrine_languages"),
    "strategy": (components.Strategy, components.StrategyOptions, "kathrine_strategies"),
    "loss": (components.Loss, components.LossOptions, "kathrine_losses"),
    "curriculum": (components.Curriculum, Options, "kathrine_curricula"),
    "metric": (components.Metric, Options, "kathrine_metrics"),
    "tracker": (components.Tracker, Options, "kathrine_trackers"),
    "exporter": (components.Exporter, Options, "kathrine_exporters"),
}
"""Kind -> base class, base of its options, and the hook that brings components of this kind."""

EVENT_HOOKS = (
    "kathrine_run_start",
    "kathrine_stage_start",
    "kathrine_step_end",
    "kathrine_validation_end",
    "kathrine_samples_spoken",
    "kathrine_checkpoint_saved",
    "kathrine_run_end",
)

RESERVED_OPTIONS = frozenset({"enabled", "use", "unset", "trust_remote_code"})
"""Keys of a component's table that the kernel reads itself."""


def component_problem(kind: str, component: Any) -> str:
    """What is wrong with a component class of this kind, or an empty string."""
    base, options_base, _ = KINDS[kind]
    if not inspect.isclass(component) or not issubclass(component, base):
        return f"not a subclass of {base.__name__}"
    name = getattr(component, "name", None)
    if name is None:
        return 'it has no `name`: write name = "..." in the class, lower-case letters, digits and underscores'
    if not isinstance(name, str) or not NAME_PATTERN.fullmatch(name):
        return f"its `name` has to be lower-case letters, digits and underscores, it is {name!r:.80}"
    if inspect.isabstract(component):
        return f"it lacks the methods {listing(component.__abstractmethods__)}"
    options = component.Options
    if options is Options and options_base is not Options:
        return (
            f"it has no `Options` of its own: write Options = MyOptions in the class, with "
            f"class MyOptions(kathrine.{options_base.__name__})"
        )
    if isinstance(options, Options):
        return f"its `Options` is an instance: give the class, {type(options).__name__} without ()"
    if not inspect.isclass(options) or not issubclass(options, options_base):
        return f"its `Options` has to be a subclass of kathrine.{options_base.__name__}"
    taken = set(RESERVED_OPTIONS)
    if kind == "source":
        from kathrine.recipe.tables import DataTable  # here: importing the recipe package needs the catalogue

        taken |= set(DataTable.model_fields)
    if taken & set(options.model_fields):
        return f"the kernel owns the option names {listing(taken & set(options.model_fields))}"
    if kind == "model" and not {"checkpoint", "revision"} <= set(options.model_fields):
        return "the options of a model family need `checkpoint` and `revision`"
    return ""
