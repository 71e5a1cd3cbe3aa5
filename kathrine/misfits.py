"""What is wrong with a plugin, in sentences: what it is, where it stands, and what to write instead.

Everything here looks and tells; nothing is called, registered or raised. `catalog` asks.
"""

from __future__ import annotations

import inspect
import re
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FunctionType, MethodType, ModuleType
from typing import Any

from kathrine import hookspecs
from kathrine.components import Component
from kathrine.kinds import EVENT_HOOKS, KINDS, component_problem
from kathrine.suggest import did_you_mean, listing

PREFIX = "kathrine_"
MARK = "kathrine_impl"
"""The attribute that `@kathrine.hookimpl` sets."""
KIND_OF_HOOK = {hook: kind for kind, (_, _, hook) in KINDS.items()}
HOOKS = {name: function for name, function in vars(hookspecs).items() if name.startswith(PREFIX)}


# --------------------------------------------------------------------------- where something stands


def place_of(thing: Any) -> str:
    """`FILE:LINE: ` of a function or class, the file from the current folder on where it lies below; else empty."""
    function = _plain(thing)
    code = getattr(function, "__code__", None)
    if code is not None:
        return f"{_shown(code.co_filename)}:{code.co_firstlineno}: "
    try:
        return f"{_shown(inspect.getsourcefile(thing) or '')}:{inspect.getsourcelines(thing)[1]}: "
    except (TypeError, OSError):  # made by hand, or its file is gone
        return ""


def _shown(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file


def _plain(thing: Any) -> Any:
    """The function behind a bound, static or class method."""
    return thing.__func__ if isinstance(thing, MethodType | staticmethod | classmethod) else thing


def where_raised(error: BaseException, module: str) -> str:
    """`FILE:LINE: ` of the line of a plugin from which an error came.

    Given: module, the name of the plugin's module. Returns: the innermost line within its package; empty where there
    is none.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_shown(error.filename)}:{error.lineno or 1}: "
    frames = [frame for frame in traceback.walk_tb(error.__traceback__) if _is_file(frame[0].f_code.co_filename)]
    package = module.partition(".")[0]
    own = [frame for frame in frames if str(frame[0].f_globals.get("__name__", "")).partition(".")[0] == package]
    for frame, line in reversed(own):
        return f"{_shown(frame.f_code.co_filename)}:{line}: "
    return ""


def _is_file(name: str) -> bool:
    return not name.startswith("<")


# --------------------------------------------------------------------------- hooks


def hook_problems(owner: Any, events: bool) -> Iterator[str]:
    """Sentences about hooks that would never be called, or not as they are written.

    Given: owner, a plugin's module or an object with hooks, or a component's class or instance; events, whether event
    hooks belong here, as they do on a component, rather than those that say what exists. No property is evaluated.
    """
    for name, thing in _attributes(owner):
        function = _plain(thing)
        marked = isinstance(function, FunctionType) and isinstance(vars(function).get(MARK), dict)
        named = name.startswith(PREFIX) and callable(function) and not inspect.isclass(function)
        if not marked and not named:
            continue
        where = place_of(function)
        if name not in HOOKS:
            guess = did_you_mean(name, HOOKS)
            if marked:
                yield f"{where}there is no hook {name}{guess}, so it would never be called; hooks: {listing(HOOKS)}"
            else:
                yield f"{where}{name} is no hook{guess}; names that begin with {PREFIX} are those of hooks: rename it"
        elif not marked:
            yield f"{where}{name} lacks @kathrine.hookimpl, so it would never be called: write that above it"
        elif (name in EVENT_HOOKS) != events:
            if events:
                yield f"{where}{name} stands on a component; it belongs in the plugin's module"
            else:
                yield f"{where}{name} stands in the plugin's module; event hooks belong on a component"
        else:
            yield from _signature_problems(name, function, where, _is_method(owner, thing))


def _attributes(owner: Any) -> Iterator[tuple[str, Any]]:
    """Name and value of what an owner has, without running any of its code."""
    if isinstance(owner, ModuleType):
        yield from sorted(vars(owner).items())
        return
    for name in sorted(dir(owner)):
        if not name.startswith("__"):
            yield name, inspect.getattr_static(owner, name)


def _is_method(owner: Any, thing: Any) -> bool:
    """Whether the first argument of a function is the object itself."""
    return not isinstance(owner, ModuleType) and not isinstance(thing, staticmethod)


def _signature_problems(name: str, function: Any, where: str, method: bool) -> Iterator[str]:
    options = getattr(function, MARK)
    if options.get("wrapper") or options.get("hookwrapper"):
        yield f"{where}{name} is a wrapper; kathrine's hooks have none: write @kathrine.hookimpl alone"
        return
    given = list(inspect.signature(HOOKS[name]).parameters)
    takes = list(inspect.signature(function).parameters.values())[method:]
    gives = f"it gives {', '.join(given)}" if given else "it gives none"
    for one in takes:
        if one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD):
            stars = "*" if one.kind == one.VAR_POSITIONAL else "**"
            yield f"{where}{name} takes {stars}{one.name}, which stays empty: a hook is given what it names; {gives}"
        elif one.name not in given and one.default is one.empty:
            guess = did_you_mean(one.name, given)
            yield f"{where}{name} takes '{one.name}', which this hook does not give{guess}; {gives}"
        elif one.name in given and one.kind == one.KEYWORD_ONLY:
            yield f"{where}{name} takes '{one.name}' by keyword only and would not get it: leave out the *"
        elif one.name in given and one.default is not one.empty:
            yield f"{where}{name} has a default for '{one.name}' and would never get it: leave out the default"


# --------------------------------------------------------------------------- what a hook gave


def listed(hook: str, function: Any, answers: Iterable[Any]) -> tuple[list[Any], list[str]]:
    """What a hook that says what exists gave, as one list, and sentences about what is no list.

    Given: function, the plugin's hook, for its place; answers, as `Catalog.ask` returns them: none where it returned
    nothing, which pluggy leaves out.
    """
    answers, where = list(answers), place_of(function)
    example = "[Path(...)]" if hook == "kathrine_recipes" else "[MyClass]"
    if not answers:
        return [], [f"{where}{hook} returned nothing: write `return {example}`, or leave the hook out"]
    (answer,) = answers
    if inspect.isclass(answer):
        return [], [f"{where}{hook} returned the class {answer.__name__}: return a list, [{answer.__name__}]"]
    if isinstance(answer, str | bytes | Path | dict | Component):
        return [], [f"{where}{hook} returned {answer!r:.80}: return a list, {example}"]
    try:
        each = iter(answer)
    except TypeError:
        return [], [f"{where}{hook} returned {answer!r:.80}: return a list, {example}"]
    return list(each), []


def misfit(kind: str, hook: str, function: Any, component: Any) -> Iterator[str]:
    """Sentences about one thing that a hook gave as a component of a kind."""
    base, _, _ = KINDS[kind]
    where = place_of(function)
    if isinstance(component, Component):
        name = type(component).__name__
        yield f"{where}{hook} gave an instance of {name}: give the class, {name} without ()"
        return
    if not inspect.isclass(component):
        wanted = f"give subclasses of kathrine.{base.__name__}"
        yield f"{where}{hook} gave {component!r:.80}, which is no component: {wanted}"
        return
    if not issubclass(component, base):
        other = next((one for one, (cls, _, _) in KINDS.items() if issubclass(component, cls)), None)
        remedy = f"it is a {other}: return it from {KINDS[other][2]}" if other else f"write class {component.__name__}"
        remedy += "" if other else f"(kathrine.{base.__name__})"
        yield f"{where}{hook} gave {component.__name__}, not a subclass of {base.__name__}; {remedy}"
        return
    problem = component_problem(kind, component)
    if problem:
        yield f"{place_of(component)}{kind} {component.__name__}: {problem}"
    yield from hook_problems(component, events=True)


# --------------------------------------------------------------------------- what it failed with


def failed_import(error: BaseException, module: str, distribution: Any = None) -> str:
    """Why a plugin's module can not be imported.

    Given: module, its name; distribution, what it belongs to (importlib.metadata), whose requirements say what to
    install.
    """
    where = where_raised(error, module)
    if isinstance(error, ModuleNotFoundError) and error.name:
        missing = error.name
        if missing.partition(".")[0] == module.partition(".")[0]:
            what = "the entry point names the module" if missing == module else "it imports its own module"
            return (
                f"{where}ModuleNotFoundError: {what} {missing}, which is not there: mend the name, "
                f"or install {_name(distribution) or 'it'} again"
            )
        package = missing.partition(".")[0]
        if package == "kathrine":
            return f"{where}ModuleNotFoundError: No module named {missing!r}; {_other_version()}"
        return (
            f"{where}ModuleNotFoundError: No module named {missing!r}: it needs the package {package!r}; "
            f"{install_line(package, distribution)}"
        )
    if isinstance(error, ImportError) and (error.name or "").partition(".")[0] == "kathrine":
        return f"{where}ImportError: {_first_line(error)}; {_other_version()}"
    return f"{where}{type(error).__name__}: {_first_line(error)}"


def _first_line(error: BaseException) -> str:
    return " ".join(re.sub(r" \([^()]*\.py\)$", "", str(error)).split())


def _other_version() -> str:
    from kathrine import __version__

    return f"this is kathrine {__version__}: install the version of kathrine or of the plugin that fits the other"


def _name(distribution: Any) -> str:
    return distribution.name if distribution is not None else ""


def install_line(package: str, distribution: Any) -> str:
    """What to type for a package that is missing: what the distribution itself requires where it says so, with the
    extra that brings it; else the package by its own name."""
    wanted = re.sub(r"[-_.]+", "-", package).lower()
    for line in (distribution.requires or []) if distribution is not None else []:
        name = re.match(r"[A-Za-z0-9._-]+", line)
        if name is None or re.sub(r"[-_.]+", "-", name.group()).lower() != wanted:
            continue
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)['\"]", line)
        if extra:
            return f"pip install '{distribution.name}[{extra.group(1)}]'"
        return f"pip install '{line.partition(';')[0].strip()}'"
    undeclared = f", and name it in the dependencies of {distribution.name}" if distribution is not None else ""
    return f"pip install {package} (the package may have another name){undeclared}"


def function_of(owner: Any, hook: str) -> FunctionType | None:
    """An owner's hook, for its place."""
    thing = inspect.getattr_static(owner, hook, None)
    return _plain(thing) if thing is not None else None
