"""Metrics from the command line: names, and options as `NAME.key=value`, checked like a recipe's."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from kathrine.catalog import Catalog
from kathrine.components import Metric
from kathrine.errors import KathrineError
from kathrine.suggest import did_you_mean, listing


def metrics_with(
    names: Sequence[str], options: Sequence[str], recipe: Mapping[str, Metric], catalog: Catalog
) -> list[Metric]:
    """Metrics to run.

    Given: names, as in the recipe or as installed; none: the recipe's, and where it has none every installed one.
    options: `NAME.key=value`, the value as TOML or a plain word, laid over the recipe's. Raises: KathrineError with
    every problem at once.
    """
    wanted = list(dict.fromkeys(names or recipe or catalog.names("metric")))
    if not wanted:
        raise KathrineError("no metric is installed", "install kathrine's own plugins again")
    problems: list[str] = []
    given: dict[str, dict[str, Any]] = {}
    for text in options:
        path, equals, value = text.partition("=")
        name, dot, key = path.strip().partition(".")
        if not (equals and dot and key):
            problems.append(f"--metric-option {text}: expected NAME.key=value, such as asr.backend=faster_whisper")
        elif name not in wanted:
            problems.append(f"--metric-option {text}: '{name}' is not among the metrics{did_you_mean(name, wanted)}")
        else:
            given.setdefault(name, {})[key] = value_of(value.strip())
    made: list[Metric] = []
    known = [*recipe, *catalog.names("metric")]
    for name in wanted:
        if name not in known:
            guess = did_you_mean(name, known)
            problems.append(f"--metric {name}: there is no such metric{guess}; there are {listing(known)}")
            continue
        component = type(recipe[name]) if name in recipe else catalog.component("metric", name)
        table = recipe[name].options.model_dump(mode="json", exclude_none=True) if name in recipe else {}
        try:
            checked = component.Options.model_validate({**table, **given.get(name, {})})
            made.append(component(checked, name))  # type: ignore[arg-type]
        except ValidationError as error:
            for one in error.errors():
                key = ".".join(str(part) for part in one["loc"])
                guess = did_you_mean(key, component.Options.model_fields) if one["type"] == "extra_forbidden" else ""
                problems.append(f"--metric-option {name}.{key}: {one['msg']}{guess}")
    if problems:
        raise KathrineError("\n  ".join(problems), "`kathrine plugins show NAME` prints a metric's options")
    return made


def value_of(text: str) -> Any:
    """TOML, or a plain word where it is none."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
