"""What the loopback Hub says of a card: a part of what the real one would refuse, in its words."""

from __future__ import annotations

import re
from typing import Any

import yaml

LICENCES = {"cc0-1.0", "cc-by-4.0", "apache-2.0", "mit", "other", "unknown"}


def card_problems(text: str, kind: str) -> list[dict[str, str]]:
    """What the Hub would refuse of a card: front matter that is no YAML, names that it does not know, or a model
    without a name for its base."""
    match = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
    if match is None:
        return [{"message": "there is no front matter"}]
    told = yaml.safe_load(match[1])
    problems = [f"license '{name}' is not known" for name in listed(told, "license") if name not in LICENCES]
    problems += [f"language {name!r} is no ISO 639 code" for name in listed(told, "language") if not is_language(name)]
    if kind == "model" and told.get("base_model", "given") in ("", None):
        problems.append('"base_model" is not allowed to be empty')
    return [{"message": problem} for problem in problems]


def listed(told: dict[str, Any], name: str) -> list[Any]:
    value = told.get(name) or []
    return value if isinstance(value, list) else [value]


def is_language(name: object) -> bool:
    return isinstance(name, str) and re.fullmatch(r"[a-z]{2,3}", name) is not None
