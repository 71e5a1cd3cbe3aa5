"""`kathrine plugins`: what is installed, what failed and why, and every option of a component."""

from __future__ import annotations

import json
from typing import Any

import click

from kathrine.catalog import KINDS, Catalog, Failure
from kathrine.cli import new_plugin
from kathrine.components import Component
from kathrine.errors import KathrineError
from kathrine.recipe.folders import builtin_folder, recipe_names
from kathrine.recipe.options import OptionDoc, option_docs
from kathrine.recipe.tables import KIND_TABLES
from kathrine.suggest import did_you_mean, listing


@click.group("plugins", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
@click.option("--trace", metavar="RECIPE", help="Run RECIPE, and show which hook was called on whom with what.")
@click.option("--profile", metavar="NAME", help="With --trace: profile of the recipe.")
@click.option(
    "--set", "sets", multiple=True, metavar="KEY=VALUE", help="With --trace: set one option; may be repeated."
)
@click.option("--folder", metavar="FOLDER", help="With --trace: keep the run here; else it is removed.")
@click.pass_context
def command(
    context: click.Context,
    as_json: bool,
    trace: str | None,
    profile: str | None,
    sets: tuple[str, ...],
    folder: str | None,
) -> int | None:
    """List the plugins, what they bring, and what failed to load.

    KATHRINE_DISABLE=NAME,... in the environment leaves plugins out. --trace RECIPE runs a recipe from beginning to
    end, best with --profile smoke.
    """
    given = [name for name, value in (("--profile", profile), ("--set", sets), ("--folder", folder)) if value]
    if trace is None and given:
        raise KathrineError(f"{' and '.join(given)} without --trace", "kathrine plugins --trace RECIPE " + given[0])
    if context.invoked_subcommand is not None:
        if trace is not None:
            raise KathrineError(f"--trace and `{context.invoked_subcommand}` do not go together", "leave one out")
        return None
    if trace is not None:
        from kathrine.cli.trace_hooks import trace as trace_hooks

        return trace_hooks(trace, profile, sets, folder, as_json)
    catalog = Catalog.load()
    if as_json:
        click.echo(json.dumps(_listing(catalog), indent=2))
    else:
        _print(catalog)
    return None


command.add_command(new_plugin.command)


@command.command("show", short_help="Print every option of a component or plugin.")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def show(name: str, as_json: bool) -> None:
    """Print every option of a component, or of all components of a plugin, by NAME."""
    catalog = Catalog.load()
    found = _wanted(catalog, name)
    if as_json:
        shown = [
            {
                "kind": kind,
                "name": component.name,
                "plugin": origin,
                "doc": component_doc(component),
                "use": usage(kind, component.name),
                "options": [vars(option) for option in option_docs(component.Options)],
            }
            for kind, component, origin in found
        ]
        click.echo(json.dumps(shown, indent=2))
        return
    from rich.console import Console

    console = Console(highlight=False, markup=False, soft_wrap=True)
    for kind, component, origin in found:
        console.print(f"{component.name}: {kind}, plugin {origin}", style="bold")
        console.print(component_doc(component))
        console.print(f"\n{usage(kind, component.name)}\n")
        for option in option_docs(component.Options):
            console.print(_line(option))
        if kind == "source":
            console.print("Beside these, every [[data]] key of the kernel (name, share, max_hours, ...): see")
            console.print("`kathrine schema` and the recipe reference.\n")


def component_doc(component: type[Component]) -> str:
    """The first paragraph of a component's docstring, as one line."""
    return " ".join((component.__doc__ or "").split("\n\n")[0].split())


def usage(kind: str, name: str) -> str:
    """How a recipe names a component."""
    if kind == "source":
        return f'[[data]]\nsource = "{name}"'
    table = next(table for table, other in KIND_TABLES.items() if other == kind)
    return f"[{table}.{name}]"


def _line(option: OptionDoc) -> str:
    default = "required" if option.required else f"default {option.default}"
    return f"  {option.name} ({option.type}, {default})\n      {option.doc}"


def _wanted(catalog: Catalog, name: str) -> list[tuple[str, type[Component], str]]:
    found = [(kind, component, plugin.origin) for kind, component, plugin in catalog.find(name)]
    if found:
        return found
    for plugin in catalog.plugins:
        if plugin.name == name:
            if not plugin.components:
                brings = f"recipes {listing(recipe_names(plugin.recipes))}" if plugin.recipes else "no components"
                raise KathrineError(f"plugin {plugin.origin} brings {brings}, so it has no options")
            mine = {(kind, component) for kind, component in plugin.components}
            found = [(k, c, p.origin) for _, n in plugin.components for k, c, p in catalog.find(n) if p is plugin]
            return [entry for entry in dict.fromkeys(found) if (entry[0], entry[1].name) in mine]
    for failure in catalog.failures:
        if failure.name == name:
            raise KathrineError(str(failure), "mend or uninstall it, or leave it out with KATHRINE_DISABLE")
    known = {n for plugin in catalog.plugins for n in (plugin.name, *(name for _, name in plugin.components))}
    reasons = [str(failure) for failure in catalog.failures]
    if name in catalog.disabled:
        raise KathrineError(f"plugin '{name}' is disabled by KATHRINE_DISABLE")
    raise KathrineError(
        f"nothing called '{name}' is installed{did_you_mean(name, known)}",
        "; ".join([f"installed: {listing(known)}", *reasons]),
    )


def _listing(catalog: Catalog) -> dict[str, Any]:
    return {
        "plugins": [
            {
                "name": plugin.name,
                "distribution": plugin.distribution,
                "version": plugin.version,
                "components": [{"kind": kind, "name": name} for kind, name in plugin.components],
                "recipes": recipe_names(plugin.recipes),
            }
            for plugin in catalog.plugins
        ],
        "failures": [vars(failure) | {"reason": failure.reason} for failure in catalog.failures],
        "clashes": catalog.clashes(),
        "disabled": list(catalog.disabled),
        "warnings": catalog.warnings,
        "recipes": recipe_names([builtin_folder()]),
    }


def _told(failure: Failure) -> str:
    """A failure, with a line for each problem where there are several."""
    if len(failure.problems) == 1:
        return str(failure)
    head = str(failure).removesuffix(failure.reason).rstrip()
    return "\n  ".join([head, *failure.problems])


def _print(catalog: Catalog) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False)
    table = Table("plugin", "distribution", "version", "kind", "components", title="plugins", title_justify="left")
    for plugin in catalog.plugins:
        kinds: dict[str, list[str]] = {kind: [] for kind in KINDS}
        for kind, name in plugin.components:
            kinds[kind].append(name)
        rows = [(kind, ", ".join(names)) for kind, names in kinds.items() if names]
        rows += [("recipes", ", ".join(recipe_names(plugin.recipes)))] if plugin.recipes else []
        table.add_row(
            plugin.name,
            plugin.distribution,
            plugin.version,
            "\n".join(kind for kind, _ in rows),
            "\n".join(names for _, names in rows),
        )
    console.print(table)
    console.print(f"recipes: {', '.join(f'kathrine:{name}' for name in recipe_names([builtin_folder()])) or 'none'}")
    for failure in catalog.failures:
        console.print(_told(failure), style="red", soft_wrap=True)
    for sentence in (*catalog.clashes(), *catalog.warnings):
        console.print(sentence, style="red", soft_wrap=True)
    if catalog.disabled:
        console.print(f"disabled by KATHRINE_DISABLE: {', '.join(catalog.disabled)}")
