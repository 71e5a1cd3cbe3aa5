"""Writes the reference pages from the code: recipe tables, components and hooks.

`python -m kathrine.recipe.reference` rewrites `docs/reference/`; a test compares the files with what this
gives.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from kathrine import hookspecs
from kathrine.catalog import KINDS, Catalog
from kathrine.kinds import EVENT_HOOKS
from kathrine.recipe.layers import TOP_LEVEL
from kathrine.recipe.options import option_docs
from kathrine.recipe.tables import KERNEL_TABLES, KIND_TABLES, DataTable

_GENERATED = "<!-- Generated from the code by `python -m kathrine.recipe.reference`: do not edit. -->\n"

_RECIPE_HEAD = """# Recipe reference

A recipe is a TOML file that describes a run completely. The kernel's tables stand here; components bring
their own ([components](components.md)). `kathrine check RECIPE` reports every mistake at once, `--origins`
shows where each value came from, and `kathrine schema -o recipe.schema.json` writes a schema for editors.

## How a recipe is put together

`default < parent < recipe < profile < --set`: what stands further right wins.

| key | meaning |
|---|---|
| `extends = "..."` | one parent: a path from this file, `"kathrine:base"`, or `"PLUGIN:NAME"` |
| `[profile.NAME]` | laid over the recipe by `--profile NAME`; a parent's profile of the same name first |
| `--set a.b=c` | one key: TOML, a bare word is a string; data entries by name: `data.npsc.max_hours=2` |
| `enabled = false` | in a component's table or a data entry: switches off what was inherited |
| `use = "NAME"` | in a component's table: which component, where the table has a name of its own |
| `unset = ["key"]` | in any table: takes keys of lower layers away, so that their defaults hold again |

- Tables merge key by key. An option's value is replaced whole, lists and inline tables too.
- `[[data]]` entries merge by name; an entry without `name` has its source's. A profile names the entry it changes.
- Of `epochs` and `steps` (also `first_epochs` and `first_steps`, ...) the one in the higher layer drives out the other.
- Components act in recipe order: a parent's first, then what the recipe adds.
- Relative paths start from the folder of the file in which they are written, those of `--set` from the current one. An
  option that takes a folder or a name on the Hub takes a folder when the text begins with `.`, `/` or `~`, or when
  such a folder exists.
- `recipe.toml` of a run folder is the resolved recipe, defaults included: running it repeats the run.

Component tables: {tables}.
"""


def recipe_page() -> str:
    """Markdown of `docs/reference/recipe.md`: every kernel table with key, type, default and doc."""
    kinds = ", ".join(f"`[{table}.NAME]` ({kind})" for table, kind in KIND_TABLES.items())
    parts = [_GENERATED, _RECIPE_HEAD.replace("{tables}", kinds)]
    order = [name for name in TOP_LEVEL if name in KERNEL_TABLES]
    order.insert(1, "data")
    for name in order:
        model = DataTable if name == "data" else KERNEL_TABLES[name]
        heading = "[[data]]" if name == "data" else f"[{name}]"
        parts.append(f"## `{heading}`\n\n{_about(model)}\n\n{options_table(model)}")
    return "\n".join(parts)


def components_page(catalog: Catalog, distribution: str = "kathrine") -> str:
    """Markdown of `docs/reference/components.md`: options of all components that a distribution brings."""
    parts = [
        _GENERATED,
        "# Components\n\nWhat the built-in plugins bring, by kind. `kathrine plugins show NAME` prints the"
        " same for what is installed.\n\n"
        "Every table also takes `enabled`, `use` and `unset` ([recipe reference](recipe.md)).\n",
    ]
    for kind in KINDS:
        for name in catalog.names(kind):
            plugin = catalog.owner(kind, name)
            if plugin.distribution != distribution:
                continue
            component = catalog.component(kind, name)
            table = next((table for table, other in KIND_TABLES.items() if other == kind), "")
            heading = f"[{table}.{name}]" if table else f'[[data]] source = "{name}"'
            about = inspect.cleandoc(component.__doc__ or "")
            options = option_docs(component.Options)
            body = options_table(component.Options) if options else "No options.\n"
            parts.append(f"## `{heading}`\n\n*{kind}, plugin `{plugin.name}`.* {about}\n\n{body}")
    return "\n".join(parts)


def hooks_page() -> str:
    """Markdown of `docs/reference/hooks.md`: signature and docstring of every hook, in the order of a run."""
    about = inspect.cleandoc(hookspecs.__doc__ or "")
    parts = [_GENERATED, f"# Hooks\n\n{about}\n"]
    sections = {False: "## What exists\n", True: "## What happened\n"}
    for name, function in hook_functions().items():
        is_event = name in EVENT_HOOKS
        if is_event in sections:
            parts.append(sections.pop(is_event))
        signature = str(inspect.signature(function)).replace("'", "")
        parts.append(f"### `{name}{signature}`\n\n{inspect.cleandoc(function.__doc__ or '')}\n")
    return "\n".join(parts)


def hook_functions() -> dict[str, Callable[..., Any]]:
    """Every hook specification by name, in the order of the file."""
    return {name: value for name, value in vars(hookspecs).items() if name.startswith("kathrine_")}


def options_table(model: type[BaseModel]) -> str:
    """A markdown table of options."""
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for option in option_docs(model):
        default = "required" if option.required else f"`{option.default}`"
        cells = (f"`{option.name}`", option.type, default, option.doc)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


def _about(model: type[BaseModel]) -> str:
    """A table's docstring without the heading that it repeats."""
    text = inspect.cleandoc(model.__doc__ or "")
    text = text.split(": ", 1)[-1]
    return text[:1].upper() + text[1:]


def pages() -> dict[str, str]:
    """Every generated page by file name."""
    return {
        "recipe.md": recipe_page(),
        "components.md": components_page(Catalog.load()),
        "hooks.md": hooks_page(),
    }


def write(folder: Path) -> list[Path]:
    """Write the pages into a folder and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in pages().items():
        temporary = folder / f".{name}.tmp"
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(folder / name)
        written.append(folder / name)
    return written


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs/reference")
    for path in write(target):
        print(path)
