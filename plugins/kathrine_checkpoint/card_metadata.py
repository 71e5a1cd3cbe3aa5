"""The front matter of a model's card: known before the run, and the same after it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kathrine.components import PlannedRun
from kathrine.datafiles import HUB_ID
from kathrine_checkpoint.manifest import MANIFEST

PIPELINE = "text-to-speech"
ADAPTER, FINETUNE = "adapter", "finetune"
"""What the Hub calls the relation to the base model."""
OWN_LIBRARY = "kathrine"
"""Named where no package but kathrine loads an export."""


def base_model_id(checkpoint: str) -> str:
    """A Hub id for the card's `base_model`, which may never be empty.

    An export of an earlier run belongs to the base model of that run. Any other folder, and an embedded model, have no
    id: they get a name that shows where they came from.
    """
    path = Path(checkpoint).expanduser()
    if HUB_ID.fullmatch(checkpoint) and not path.exists():
        return checkpoint
    earlier = _base_of_export(path)
    if earlier and earlier != checkpoint:
        return base_model_id(earlier)
    if ":" in checkpoint:
        owner, _, name = checkpoint.partition(":")
    else:
        owner, name = "local", path.name
    return "/".join(re.sub(r"[^\w.-]", "-", piece).strip(".-") or "model" for piece in (owner, name))


def _base_of_export(folder: Path) -> str:
    """The base model's id that an export of kathrine names; empty for any other folder."""
    if not (folder / MANIFEST).is_file():
        return ""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return str(manifest["base"]["checkpoint"])
    except (ValueError, KeyError, TypeError):
        return ""  # a file of that name which kathrine did not write


def base_of_plan(plan: PlannedRun) -> str:
    """The same for the model of a recipe, which may name a released one without its owner."""
    facts = plan.family.facts(plan.workspace)
    return base_model_id(facts.checkpoint if facts is not None else plan.family.options.checkpoint)


def model_metadata(
    plan: PlannedRun, *, relation: str, library: str, base_model: str, license: str, languages: Sequence[str]
) -> dict[str, Any]:
    """The front matter as the Hub wants it; fields that nobody knows are left out.

    Given: relation, `adapter` or `finetune`; library, the package that loads it; base_model and languages, empty to
    take the recipe's.
    """
    datasets = list(dict.fromkeys(name for source in plan.sources.values() for name in source.hub_datasets()))
    fields: dict[str, Any] = {
        "license": license,
        "language": list(languages) or list(plan.codes),
        "base_model": base_model or base_of_plan(plan),
        "base_model_relation": relation,
        "library_name": library,
        "pipeline_tag": PIPELINE,
        "datasets": datasets,
        "tags": list(dict.fromkeys([PIPELINE, "kathrine", plan.family.name, *filter(None, [plan.language])])),
    }
    return {name: value for name, value in fields.items() if value}
