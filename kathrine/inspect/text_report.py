"""`kathrine inspect MODEL --text RECIPE`: the corpus of a recipe through the model's tokenizer, beside a known
language."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from kathrine.catalog import Catalog
from kathrine.components import ModelFamily, Progress
from kathrine.corpus.prepare import prepare_folder
from kathrine.corpus.texts_seen import spoken_texts
from kathrine.inspect.target import recipe_for
from kathrine.inspect.text import TextReport, cut_text
from kathrine.speech.sets import bundled_set
from kathrine.types import ParameterSpec
from kathrine.workspace import Workspace

BUNDLED = "english"
"""Sentences to compare with where no recipe of a known language is given: few, but of a language that models know."""
TABLE_PART = "text_embedding"


def text_report(
    model: str,
    family: ModelFamily,
    recipes: tuple[tuple[str, str | None], tuple[str, str | None] | None],
    catalog: Catalog,
    workspace: Workspace,
    progress: Progress,
) -> TextReport:
    """Prepare, cut and count.

    Given: recipe and profile of the target, and of the known language or None for bundled English sentences. The texts
    are the training utterances' as they are spoken. Raises: KathrineError for a recipe of another family.
    """
    ids_of, tokens_of = family.open_text(workspace), family.open_text_tokens(workspace)
    table = table_rows(family.parameters(workspace) or ())
    found = []
    texts: Iterable[str]
    for one in recipes:
        if one is None:
            english = bundled_set(BUNDLED)
            name, texts, count = english.name, (line.text for line in english.sentences), len(english.sentences)
        else:
            name, texts, count = _trained_on(*one, family, catalog, workspace, progress)
        with progress.task(f"cutting the texts of {name}", total=count) as advance:
            found.append(cut_text(name, _counted(texts, advance), ids_of, tokens_of, table))
    (target, touched), (known, others) = found
    return TextReport(model, target, known, len(touched.keys() - others.keys()), len(others.keys() - touched.keys()))


def _trained_on(
    name: str, profile: str | None, family: ModelFamily, catalog: Catalog, workspace: Workspace, progress: Progress
) -> tuple[str, Iterable[str], int]:
    recipe = recipe_for(name, profile, family, catalog, progress.say)
    folder = prepare_folder(recipe, workspace, progress)
    wanted = {entry.name: entry.table.variants for entry in recipe.data}
    return name, spoken_texts(folder, wanted), training_count(folder)


def training_count(folder: Path) -> int:
    """Training utterances of a prepared corpus, by its facts."""
    facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    splits = [entry.get("splits", {}).get("train", {}) for entry in facts["entries"].values()]
    return sum(int(split.get("utterances", 0)) for split in splits)


def _counted(texts: Iterable[str], advance: Callable[..., None]) -> Iterator[str]:
    for text in texts:
        yield text
        advance(1)


def table_rows(specs: Iterable[ParameterSpec]) -> int | None:
    """Rows of the text embedding; None for a family that has no such part."""
    return next((spec.shape[0] for spec in specs if spec.part == TABLE_PART and len(spec.shape) == 2), None)
