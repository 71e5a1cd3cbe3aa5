"""Python and packages against the ranges that kathrine was published with."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib import metadata

from kathrine.doctor.findings import Finding, green, red

SHOWN = ("torch", "transformers", "peft", "accelerate", "huggingface_hub", "datasets")


def check_python(wanted: str = "") -> Finding:
    """Given: wanted, such as `>=3.11`; empty takes that of the installed distribution."""
    from packaging.specifiers import SpecifierSet

    wanted = wanted or metadata.metadata("kathrine")["Requires-Python"] or ""
    have = platform.python_version()
    if SpecifierSet(wanted).contains(have, prereleases=True):
        return green("python", have)
    return red("python", f"{have}, supported is {wanted}", "make a virtual environment with a supported Python")


def check_packages(requirements: Sequence[str] | None = None) -> list[Finding]:
    """Every package that kathrine cannot do without; one line for all that are in order.

    Given: requirements as a project file writes them; None takes those of the installed distribution.
    """
    from packaging.requirements import Requirement

    if requirements is None:
        requirements = metadata.requires("kathrine") or []
    needed = [Requirement(text) for text in requirements]
    wrong, right = [], {}
    for one in (one for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})):
        try:
            version = metadata.version(one.name)
        except metadata.PackageNotFoundError:
            wrong.append(red(one.name, f"is not installed, needed is {one.specifier}", f'pip install "{one}"'))
            continue
        if one.specifier.contains(version, prereleases=True):
            right[one.name] = version
        else:
            wrong.append(red(one.name, f"{version} is outside of {one.specifier}", f'pip install "{one}"'))
    told = ", ".join(f"{name} {right[name]}" for name in SHOWN if name in right)
    rest = len(right) - sum(name in right for name in SHOWN)
    if right:
        told += f"{' and ' if told else ''}{rest} more" if rest else ""
        wrong.append(green("packages", f"{told}: in the supported ranges"))
    return wrong
