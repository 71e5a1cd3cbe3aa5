"""The model card: front matter that the Hub accepts, and what a reader wants to know."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kathrine.components import FinishedRun
from kathrine_checkpoint.files import without_paths, without_secrets

LANGUAGE_CODES = {"norwegian": ["no", "nb", "nn"]}
"""Codes (ISO 639-1) that the Hub files a language under."""


def base_model_id(checkpoint: str) -> str:
    """A Hub id for the card's `base_model`, which may never be empty.

    A folder or an embedded model has none: it gets a name that shows where it came from.
    """
    if re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", checkpoint) and not Path(checkpoint).exists():
        return checkpoint
    if ":" in checkpoint:
        owner, _, name = checkpoint.partition(":")
    else:
        owner, name = "local", Path(checkpoint).name
    return "/".join(re.sub(r"[^\w.-]", "-", piece).strip(".-") or "model" for piece in (owner, name))


def front_matter(fields: Mapping[str, Any]) -> str:
    """YAML front matter; strings are quoted where YAML could read something else into them."""
    lines = ["---"]
    for key, value in fields.items():
        if isinstance(value, str):
            lines.append(f"{key}: {_scalar(value)}")
        elif value:
            lines += [f"{key}:", *(f"- {_scalar(item)}" for item in value)]
    return "\n".join([*lines, "---"])


def _scalar(text: str) -> str:
    # "no" is a boolean in YAML 1.1, so Norwegian's own code must be quoted
    plain = re.fullmatch(r"[A-Za-z][\w./-]*", text) and text.lower() not in (
        "no",
        "yes",
        "on",
        "off",
        "true",
        "false",
        "null",
    )
    return text if plain else json.dumps(text, ensure_ascii=False)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """A Markdown table; its columns are the rows' keys, but for those that hold tables of their own or
    nothing."""
    filled = [key for row in rows for key, value in row.items() if value != [] and not isinstance(value, Mapping)]
    keys = list(dict.fromkeys(filled))
    lines = [f"| {' | '.join(keys)} |", f"|{'---|' * len(keys)}"]
    for row in rows:
        cells = [_cell(row.get(key, "")) for key in keys]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if isinstance(value, list | tuple):
        value = ", ".join(str(inner) for inner in value)
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")


def recipe_text(document: Mapping[str, Any]) -> str:
    """The resolved recipe as TOML, without this machine's paths and the run folder's name."""
    from kathrine.recipe.tomlwriter import toml_text

    shown = without_secrets(without_paths(document))
    if isinstance(shown.get("run"), dict):
        shown["run"].pop("folder", None)
    return toml_text(shown)


def write_card(
    run: FinishedRun,
    folder: Path,
    *,
    kind: str,
    base_model: str,
    license: str,
    languages: Sequence[str],
    usage: str,
    checks: Mapping[str, float | str],
) -> None:
    """Write README.md and recipe.toml. `kind`: "adapter" or "finetune". Paths of this machine stay out of
    both."""
    name = run.folder.name
    language = run.language or next(iter(lang for s in run.strategies for lang in s.languages()), "")
    codes = list(languages) or LANGUAGE_CODES.get(language, [])
    fields: dict[str, Any] = {"license": license, "base_model": base_model, "base_model_relation": kind}
    if kind == "adapter":
        fields["library_name"] = "peft"
    fields |= {"pipeline_tag": "text-to-speech", "language": codes}
    fields["tags"] = ["text-to-speech", "kathrine", run.family.name, *([language] if language else [])]
    trained = [
        {
            "strategy": claim.strategy,
            "trained weights": len(claim.trains) + len(claim.adds),
            "numbers": sum(run.trainable[key].numel() for key in _names(claim)),
            "learning rate": claim.lr,
        }
        for claim in run.claims
    ]
    sections = [
        front_matter(fields),
        f"# {name}",
        f"{base_model}, adapted to {language or 'new speech'} with kathrine: {run.weights_from}.",
        "## Use",
        usage,
        "## What was trained",
        table(trained),
    ]
    if run.data:
        sections += ["## Data", table(without_paths(run.data))]
    if checks:
        sections += [
            "## Checks after writing",
            table([{"check": key, "measured": checks[key]} for key in checks]),
        ]
    if run.recipe:
        text = recipe_text(run.recipe)
        (folder / "recipe.toml").write_text(text, encoding="utf-8")
        sections += [
            "## Recipe",
            "`recipe.toml` beside this card describes the run (paths are cut to their last name):",
            f"```toml\n{text.strip()}\n```",
        ]
    (folder / "README.md").write_text("\n\n".join(sections) + "\n", encoding="utf-8")


def _names(claim: Any) -> list[str]:
    return [*claim.trains, *(spec.name for spec in claim.adds)]
