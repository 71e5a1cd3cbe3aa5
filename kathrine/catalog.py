"""Finds plugins, collects what they bring, refuses clashes and explains absences.

A plugin is an entry point of the group `kathrine`; the built-in ones come through the same door. Nothing that
a plugin does wrong stops another one: it becomes a `Failure` with its reason, which is said when somebody
asks for something that is not there.
"""

from __future__ import annotations

import importlib.metadata
import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pluggy

from kathrine import hookspecs, hooktrace
from kathrine.components import Component
from kathrine.errors import KathrineError
from kathrine.kinds import KINDS
from kathrine.misfits import failed_import, function_of, hook_problems, listed, misfit, place_of, where_raised
from kathrine.suggest import did_you_mean, listing

GROUP = "kathrine"
_by_hand: dict[str, Any] = {}


@dataclass(frozen=True)
class Plugin:
    """An installed plugin that works. components: (kind, name) of everything it brings."""

    name: str
    distribution: str
    version: str
    module: Any = field(repr=False)
    components: tuple[tuple[str, str], ...] = ()
    recipes: tuple[Path, ...] = ()

    @property
    def origin(self) -> str:
        return f"'{self.name}' of {self.distribution} {self.version}".rstrip()


@dataclass(frozen=True)
class Failure:
    """An installed plugin that does not work, and why. problems: all that is wrong with it, a sentence each."""

    name: str
    distribution: str
    version: str
    problems: tuple[str, ...]

    @property
    def reason(self) -> str:
        """All of it as one sentence."""
        return "; ".join(self.problems)

    def __str__(self) -> str:
        return f"plugin '{self.name}' of {self.distribution} {self.version} failed to load: {self.reason}"


class Misfits(KathrineError):
    """Everything that is wrong with one plugin."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class _Manager(pluggy.PluginManager):
    """Looks at `kathrine_...` attributes only: registering a component evaluates none of its properties."""

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> Any:
        return super().parse_hookimpl_opts(plugin, name) if name.startswith("kathrine_") else None


def hook_manager() -> pluggy.PluginManager:
    """An empty manager of kathrine's hooks; with KATHRINE_TRACE_PLUGINS=1 it writes every call to stderr, and within
    `hooktrace.recorded` its calls are kept."""
    manager = _Manager(GROUP)
    manager.add_hookspecs(hookspecs)
    hooktrace.attach(manager)
    if os.environ.get("KATHRINE_TRACE_PLUGINS", "") not in ("", "0"):
        manager.trace.root.setwriter(lambda message: print(message, end="", file=sys.stderr))
        manager.enable_tracing()
    return manager


def run_manager(components: Iterable[Any], watchers: Iterable[Any] = ()) -> pluggy.PluginManager:
    """The manager of one run.

    Given: the components that the recipe named and the built-in watchers. Returns: a manager that holds those
    of them that implement an event hook; its `hook.kathrine_step_end(...)` calls just these. Raises:
    KathrineError for an instance whose hooks do not fit the specification.
    """
    manager = hook_manager()
    for instance in (*components, *watchers):
        if not any(hasattr(instance, name) for name in dir(instance) if name.startswith("kathrine_")):
            continue
        label = f"{getattr(instance, 'kind', 'watcher')}.{getattr(instance, 'label', type(instance).__name__)}"
        name = label if not manager.has_plugin(label) else f"{label}#{len(manager.get_plugins())}"
        wrong = list(hook_problems(instance, events=True))
        if wrong:
            raise KathrineError(f"{label} has a hook that does not fit: {'; '.join(wrong)}")
        manager.register(instance, name=name)
    manager.check_pending()
    return manager


class Catalog:
    """What exists. Made by `Catalog.load()`; asked by name and kind."""

    def __init__(self) -> None:
        self.manager = hook_manager()
        self.plugins: list[Plugin] = []
        self.failures: list[Failure] = []
        self.disabled: tuple[str, ...] = ()
        self.warnings: list[str] = []
        self._found: dict[tuple[str, str], list[tuple[type[Component], Plugin]]] = defaultdict(list)

    @classmethod
    def load(cls) -> Catalog:
        """Import every installed plugin, KATHRINE_DISABLE aside, and collect what they bring."""
        catalog = cls()
        points = _entry_points()
        wanted_out = [name.strip() for name in os.environ.get("KATHRINE_DISABLE", "").split(",")]
        names = {point.name for point in points}
        catalog.disabled = tuple(sorted({name for name in wanted_out if name in names}))
        for name in sorted({name for name in wanted_out if name and name not in names}):
            message = f"KATHRINE_DISABLE names '{name}', but no such plugin is installed"
            catalog.warnings.append(message + did_you_mean(name, names))
        for point in points:
            if point.name in catalog.disabled:
                continue
            twins = sorted({_origin(other)[0] for other in points if other.name == point.name})
            if len(twins) > 1:
                reason = f"the plugin name is taken by {' and '.join(twins)}; uninstall or disable one"
                catalog.failures.append(Failure(point.name, *_origin(point), (reason,)))
                continue
            try:
                module = point.load()
            except (Exception, SystemExit) as error:  # noqa: BLE001  whatever a foreign module raises is its failure
                reason = failed_import(error, point.module, point.dist)
                catalog.failures.append(Failure(point.name, *_origin(point), (reason,)))
                continue
            catalog.add(module, point.name, *_origin(point))
        for name, module in _by_hand.items():
            catalog.add(module, name)
        return catalog

    def add(self, module: Any, name: str, distribution: str = "local", version: str = "") -> None:
        """Add one plugin by hand: a module, or any object with hooks. A failure is recorded, never raised."""
        try:
            plugin, found = self._examine(module, name, distribution, version)
        except (Exception, SystemExit) as error:  # noqa: BLE001  see `load`
            if self.manager.has_plugin(name):
                self.manager.unregister(name=name)
            problems = error.problems if isinstance(error, Misfits) else (_reason(error, module),)
            self.failures.append(Failure(name, distribution, version, problems))
            return
        self.plugins.append(plugin)
        for kind, component in found:
            self._found[kind, component.name].append((component, plugin))

    def _examine(
        self, module: Any, name: str, distribution: str, version: str
    ) -> tuple[Plugin, list[tuple[str, type[Component]]]]:
        wrong = list(hook_problems(module, events=False))
        if wrong:
            raise Misfits(wrong)
        trial = _Manager(GROUP)  # a manager of its own: registering half a plugin leaves nothing behind
        trial.add_hookspecs(hookspecs)
        trial.register(module, name=name)
        trial.check_pending()
        if not trial.get_hookcallers(module):
            raise KathrineError("it implements no hook: a function with @kathrine.hookimpl, such as kathrine_sources")
        self.manager.register(module, name=name)
        found: list[tuple[str, type[Component]]] = []
        for kind, (_, _, hook) in KINDS.items():
            given, odd = self._given(name, module, hook)
            wrong += odd
            for component in given:
                problems = list(misfit(kind, hook, function_of(module, hook), component))
                if not problems and (kind, component.name) in {(k, c.name) for k, c in found}:
                    problems = [f"{place_of(component)}{hook} gives the name '{component.name}' twice: rename one"]
                wrong += problems
                found += [] if problems else [(kind, component)]
        given, odd = self._given(name, module, "kathrine_recipes")
        wrong += odd
        folders = tuple(Path(folder) for folder in given)
        where = place_of(function_of(module, "kathrine_recipes"))
        wrong += [f"{where}kathrine_recipes gave {one}, which is not a folder" for one in folders if not one.is_dir()]
        if wrong:
            raise Misfits(wrong)
        names = tuple((kind, component.name) for kind, component in found)
        return Plugin(name, distribution, version, module, names, folders), found

    def _given(self, name: str, module: Any, hook: str) -> tuple[list[Any], list[str]]:
        """What a plugin's hook gave, and what is wrong with it; nothing where it has no such hook."""
        function = function_of(module, hook)
        if function is None:
            return [], []
        try:
            return listed(hook, function, self.ask(name, hook))
        except (Exception, SystemExit) as error:  # noqa: BLE001  see `load`
            return [], [f"{_reason(error, module)} (raised by {hook})"]

    def ask(self, plugin: str, hook: str, **arguments: Any) -> list[Any]:
        """Call one hook of one plugin; the list of its answers (empty where it has no such hook)."""
        others = [module for name, module in self.manager.list_name_plugin() if name != plugin and module]
        return self.manager.subset_hook_caller(hook, others)(**arguments)

    def names(self, kind: str) -> list[str]:
        """Names of all components of a kind, sorted."""
        return sorted(name for k, name in self._found if k == kind)

    def find(self, name: str) -> list[tuple[str, type[Component], Plugin]]:
        """Every component of this name, of whatever kind, with its plugin."""
        return [(kind, *entry) for (kind, known), entries in self._found.items() if known == name for entry in entries]

    def problem(self, kind: str, name: str, with_failures: bool = True) -> str:
        """Why `component(kind, name)` would fail, in one sentence, or an empty string.

        with_failures: also say which plugins failed to load, and why; the name may have been one of theirs.
        """
        entries = self._found.get((kind, name), [])
        if len(entries) == 1:
            return ""
        if entries:
            origins = " and ".join(f"{plugin.origin} ({place_of(made).rstrip(': ')})" for made, plugin in entries)
            remedy = f"leave one out with KATHRINE_DISABLE={entries[-1][1].name}, or rename one"
            return f"two plugins bring the {kind} '{name}': {origins}; {remedy}"
        sentence = f"unknown {kind} '{name}'{did_you_mean(name, self.names(kind))}; "
        sentence += f"installed: {listing(self.names(kind))}"
        if self.disabled:
            sentence += f"; disabled by KATHRINE_DISABLE: {listing(self.disabled)}"
        return "; ".join([sentence, *(str(failure) for failure in self.failures if with_failures)])

    def component(self, kind: str, name: str) -> type[Component]:
        """The component class. Raises KathrineError: what exists, which plugins failed, and why."""
        problem = self.problem(kind, name)
        if problem:
            raise KathrineError(problem)
        return self._found[kind, name][0][0]

    def owner(self, kind: str, name: str) -> Plugin:
        """The plugin that brings a component."""
        self.component(kind, name)
        return self._found[kind, name][0][1]

    def clashes(self) -> list[str]:
        """One sentence for every name that two plugins bring."""
        return [self.problem(kind, name) for (kind, name), found in sorted(self._found.items()) if len(found) > 1]


@contextmanager
def registered_by_hand(plugins: Mapping[str, Any]) -> Iterator[None]:
    """Within it `Catalog.load` adds these modules or objects to what is installed, under names that nothing there
    has: for tests of plugins."""
    before = dict(_by_hand)
    _by_hand.update(plugins)
    try:
        yield
    finally:
        _by_hand.clear()
        _by_hand.update(before)


def _entry_points() -> Sequence[importlib.metadata.EntryPoint]:
    """Entry points of the group, sorted by name; the same one seen twice on sys.path counts once."""
    seen = {(point.name, point.value, _origin(point)[0]): point for point in _all_points()}
    return [seen[key] for key in sorted(seen)]


def _all_points() -> list[importlib.metadata.EntryPoint]:
    return list(reversed(list(importlib.metadata.entry_points(group=GROUP))))


def _origin(point: importlib.metadata.EntryPoint) -> tuple[str, str]:
    distribution = point.dist
    return (distribution.name, distribution.version) if distribution is not None else ("unknown", "")


def _reason(error: BaseException, module: Any) -> str:
    """One line of why a plugin does not work, with the line of it that raised the error."""
    message = " ".join(str(error).split())
    if isinstance(error, KathrineError | pluggy.PluginValidationError):
        return message
    return (
        f"{where_raised(error, getattr(module, '__name__', type(module).__module__))}{type(error).__name__}: {message}"
    )
