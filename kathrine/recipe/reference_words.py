"""What the generated reference pages are made of: docstrings, signatures and tables of options as markdown."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from kathrine.recipe.options import option_docs

GENERATED = "<!-- Generated from the code by `python -m kathrine.recipe.reference`: do not edit. -->\n"
SECTION = re.compile(r"(When|Given|Returns|Answers|Raises): ")
"""How a line of a docstring begins that has a name of its own."""


def options_table(model: type[BaseModel]) -> str:
    """A markdown table of options."""
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for option in option_docs(model):
        default = "required" if option.required else f"`{option.default}`"
        cells = (f"`{option.name}`", option.type, default, option.doc)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


def doc_of(thing: Any) -> str:
    """A docstring of its own, never an inherited one, or an empty string."""
    return inspect.cleandoc(thing.__doc__ or "")


def sections(doc: str) -> tuple[str, dict[str, str]]:
    """A docstring divided: what stands before `When:`, `Given:` and the like, and each of these by its name."""
    before: list[str] = []
    found: dict[str, str] = {}
    name = ""
    for line in doc.splitlines():
        start = SECTION.match(line)
        if start:
            name, line = start[1], line[start.end() :]
            found[name] = ""
        if name:
            found[name] = f"{found[name]} {line.strip()}".strip()
        else:
            before.append(line)
    return "\n".join(before).strip(), found


class _Written(str):
    """An annotation as it stands in the source, without the quotes of a string."""

    def __repr__(self) -> str:
        return str(self)


def signature(function: Any) -> str:
    """`name(arguments) -> result` as a caller writes it, without self."""
    made = inspect.signature(function)
    arguments = [
        one.replace(annotation=_Written(one.annotation)) if isinstance(one.annotation, str) else one
        for key, one in made.parameters.items()
        if key not in ("self", "cls")
    ]
    result = made.return_annotation
    result = _Written(result) if isinstance(result, str) else result
    return f"{function.__name__}{made.replace(parameters=arguments, return_annotation=result)}"


def attribute_docs(owner: type) -> Mapping[str, str]:
    """The docstrings below the class attributes of a class, by name."""
    body = ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0]
    assert isinstance(body, ast.ClassDef)
    found = {}
    for one, below in zip(body.body, body.body[1:], strict=False):
        text = below.value if isinstance(below, ast.Expr) else None
        if isinstance(one, ast.AnnAssign) and isinstance(text, ast.Constant) and isinstance(text.value, str):
            found[ast.unparse(one.target)] = inspect.cleandoc(text.value)
    return found


def indented(text: str) -> str:
    """A text as the continuation of a list's entry."""
    return textwrap.indent(text, "  ").lstrip()
