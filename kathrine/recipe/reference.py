"""Writes the reference pages from the code: recipe tables, components, hooks and types.

`python -m kathrine.recipe.reference` rewrites `docs/reference/`; a test compares the files with what this
gives.
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

from pydantic import BaseModel

from kathrine.catalog import Catalog
from kathrine.recipe.layers import TOP_LEVEL
from kathrine.recipe.reference_components import components_page, types_page
from kathrine.recipe.reference_hooks import hook_functions, hooks_page
from kathrine.recipe.reference_words import GENERATED, options_table
from kathrine.recipe.tables import KERNEL_TABLES, KIND_TABLES, DataTable

__all__ = ["hook_functions", "pages", "recipe_page", "write"]

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
    parts = [GENERATED, _RECIPE_HEAD.replace("{tables}", kinds)]
    order = [name for name in TOP_LEVEL if name in KERNEL_TABLES]
    order.insert(1, "data")
    for name in order:
        model = DataTable if name == "data" else KERNEL_TABLES[name]
        heading = "[[data]]" if name == "data" else f"[{name}]"
        parts.append(f"## `{heading}`\n\n{_about(model)}\n\n{options_table(model)}")
    return "\n".join(parts)


def _about(model: type[BaseModel]) -> str:
    """A table's docstring without the heading that it repeats."""
    text = inspect.cleandoc(model.__doc__ or "")
    text = text.split(": ", 1)[-1]
    return text[:1].upper() + text[1:]


def pages() -> dict[str, str]:
    """Every generated page by file name."""
    catalog = Catalog.load()
    return {
        "recipe.md": recipe_page(),
        "components.md": components_page(catalog),
        "hooks.md": hooks_page(catalog),
        "types.md": types_page(),
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
