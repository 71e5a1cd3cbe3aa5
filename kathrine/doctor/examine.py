"""The examination: every group of checks in order, and what came of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kathrine.doctor import clock, files, machine, memory, network, software
from kathrine.doctor.estimate import Written, estimate
from kathrine.doctor.findings import Finding, State, green, red, size, worst, yellow
from kathrine.doctor.limits import memory_free
from kathrine.errors import KathrineError, RecipeError
from kathrine.recipe.plan import Plan, make_plan
from kathrine.recipe.recipe import Recipe, load_recipe
from kathrine.train.folder import RunFolder
from kathrine.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Group:
    """Findings that belong together."""

    title: str
    findings: Sequence[Finding]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All groups. estimate, unknown: what the run is expected to write, and what of it nobody knows."""

    recipe: str
    groups: Sequence[Group]
    estimate: Sequence[Written] = ()
    unknown: Sequence[str] = ()

    @property
    def findings(self) -> list[Finding]:
        return [finding for group in self.groups for finding in group.findings]

    @property
    def state(self) -> State:
        return worst(self.findings)

    def as_json(self) -> dict[str, Any]:
        """As docs/doctor.md describes it."""
        return {
            "recipe": self.recipe,
            "state": self.state,
            "findings": [{"group": group.title, **asdict(one)} for group in self.groups for one in group.findings],
            "writes": [asdict(part) | {"bytes": round(part.bytes)} for part in self.estimate],
            "unknown": list(self.unknown),
        }


def examine(
    name: str,
    profile: str | None,
    sets: Sequence[str],
    workspace: Workspace,
    environment: Mapping[str, str] = os.environ,
) -> Diagnosis:
    """Look at a recipe and at this machine. What hangs together is looked at once; nothing stops at the first problem.

    Raises: nothing that a check can say; KathrineError where there is no such recipe.
    """
    recipe, plan, about = read(name, profile, sets, workspace)
    processor = machine.look()
    device, precision = ("auto", "fp32") if recipe is None else (recipe.run.device, recipe.train.precision)
    groups = [Group("recipe", about), Group("software", [software.check_python(), *software.check_packages()])]
    hardware = [machine.check_device(device, processor)]
    if recipe is not None:
        hardware += [machine.check_precision(precision, device, processor), fit(plan, workspace, device, processor)]
    hardware += [machine.check_threads(processor, environment), machine.check_processes(environment, processor)]
    groups.append(Group("machine", hardware))
    writes, unknown = ([], []) if recipe is None else estimate(recipe, workspace, plan)
    folder = Path("runs").absolute() if recipe is None else RunFolder.of(recipe).path
    disks = disk_findings(workspace.root, folder, writes, environment)
    answer = network.ask_hub(offline=recipe is not None and recipe.run.offline)
    groups.append(Group("disk", [*disks, clock.check_clock(answer.date, workspace.root)]))
    hub = [network.check_hub(answer), network.check_token(environment)]
    if recipe is not None:
        hub += [network.check_model(recipe, workspace, answer), *network.check_data(recipe, workspace)]
    groups.append(Group("model and data", hub))
    if recipe is not None:
        groups.append(Group("afterwards", [*network.check_exports(recipe, workspace), *network.check_metrics(recipe)]))
    return Diagnosis(name if recipe is None else recipe.name, groups, writes, unknown)


def read(
    name: str, profile: str | None, sets: Sequence[str], workspace: Workspace
) -> tuple[Recipe | None, Plan | None, list[Finding]]:
    """The recipe and its plan as far as they are right, and every problem."""
    try:
        recipe = load_recipe(name, profile, sets, workspace=workspace)
    except RecipeError as error:
        return None, None, [red("recipe", problem, "mend it, then `kathrine check`") for problem in error.problems]
    try:
        plan = make_plan(recipe, workspace)
    except RecipeError as error:
        return recipe, None, [red("recipe", problem, "mend it, then `kathrine check`") for problem in error.problems]
    found = [green("recipe", f"{recipe.name} is valid")]
    try:
        RunFolder.of(recipe).refuse_unless_ready(resume=False)
    except KathrineError as error:
        found.append(yellow("run folder", error.message, error.hint))
    return recipe, plan, found


def fit(plan: Plan | None, workspace: Workspace, device: str, processor: machine.Processor) -> Finding:
    """Memory against the smallest GPU, or against what this process may take of the machine."""
    gpu = machine.uses_gpu(device, processor)
    need = memory.memory_need(plan, workspace, gpu) if plan is not None else None
    if gpu:
        least = min(processor.gpus, key=lambda one: one.free)
        return memory.check_memory(need, least.free, least.name)
    return memory.check_memory(need, memory_free(), "this machine")


def disk_findings(
    workspace: Path, run: Path, writes: Sequence[Written], environment: Mapping[str, str]
) -> list[Finding]:
    """Rights and abilities of both folders, whether they last, and whether there is room."""
    found = [
        files.check_folder("workspace", workspace, "name a folder that can be written in KATHRINE_WORKSPACE"),
        files.check_folder("run folder", run, "name another one with --folder, or as run.folder"),
        *files.check_lasting(workspace, run, environment),
    ]
    if any(one.state == "red" for one in found):
        return found
    needs = []
    for name, folder in (("workspace", workspace), ("run", run)):
        parts = [part for part in writes if part.folder == name]
        label = f"{name} ({', '.join(f'{part.what} {size(part.bytes)}' for part in parts)})" if parts else name
        needs.append((folder, label, round(sum(part.bytes for part in parts)), sum(part.files for part in parts)))
    return found + files.check_room(needs)
