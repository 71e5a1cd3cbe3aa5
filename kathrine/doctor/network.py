"""The Hub, and what would be fetched from it or sent to it. Every request has a few seconds, all go out together."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kathrine.corpus.prepared import known_folder
from kathrine.doctor.asking import SECONDS, Question
from kathrine.doctor.estimate import context_of
from kathrine.doctor.findings import Finding, green, red, yellow
from kathrine.errors import KathrineError
from kathrine.progress import SilentProgress
from kathrine.recipe.recipe import DataEntry, Recipe
from kathrine.train.readiness import late_failures
from kathrine.workspace import Workspace

READY_SECONDS = 20.0
"""For all that exporters ask before a run."""


@dataclass(frozen=True, slots=True)
class HubAnswer:
    """What one request told. date: its `Date` header. problem: why there was no answer, or an empty string."""

    milliseconds: float = 0.0
    date: str = ""
    problem: str = ""


def ask_hub(offline: bool, seconds: float = SECONDS) -> HubAnswer:
    """One HEAD of the Hub's address. Raises: nothing; what went wrong is in the answer."""
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    from kathrine.hubfiles import client_is_offline

    if offline:
        return HubAnswer(problem="not asked: run.offline is set")
    if client_is_offline():
        return HubAnswer(problem="not asked: HF_HUB_OFFLINE is set")

    def head() -> HubAnswer:
        began = time.monotonic()
        answer = get_session().head(constants.ENDPOINT, timeout=max(0.1, seconds - 1))
        return HubAnswer((time.monotonic() - began) * 1000, answer.headers.get("date", ""))

    try:
        return Question(head, constants.ENDPOINT, seconds).answer()
    except KathrineError as error:
        return HubAnswer(problem=error.message)
    except Exception as error:  # noqa: BLE001  the client raises many kinds where there is no network
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        return HubAnswer(problem=f"{constants.ENDPOINT} does not answer ({reason})")


def check_hub(answer: HubAnswer) -> Finding:
    """Whether the Hub can be reached. Not by itself a reason to stop: what needs it says so."""
    if not answer.problem:
        return green("hub", f"answers in {answer.milliseconds:.0f} ms")
    if answer.problem.startswith("not asked"):
        return green("hub", answer.problem)
    return yellow("hub", answer.problem, "check network and proxy (HTTPS_PROXY); HF_ENDPOINT names another address")


def check_token(environment: Mapping[str, str]) -> Finding:
    """Whether somebody is logged in; what a token may do is found out by what needs it."""
    from huggingface_hub import get_token

    if get_token():
        where = "HF_TOKEN" if environment.get("HF_TOKEN") else "`hf auth login`"
        return green("token", f"there is one, from {where}")
    return green("token", "there is none: what is public can be read")


def check_model(recipe: Recipe, workspace: Workspace, answer: HubAnswer) -> Finding:
    """Whether the checkpoint is here and intact, or could be fetched."""
    checkpoint = recipe.model.options.checkpoint
    if recipe.model.at_hand(workspace):
        try:
            recipe.model.fetch(workspace, SilentProgress(), offline=True)
        except KathrineError as error:
            return red("model", error.message, error.hint)
        return green("model", f"{checkpoint} is at hand, every file checked")
    if recipe.run.offline:
        return red(
            "model", f"{checkpoint} is not at hand, and run.offline is set", "run `kathrine prepare` once online"
        )
    if answer.problem:
        remedy = "run again with a network, or name a local folder as checkpoint"
        return red("model", f"{checkpoint} is not at hand; the Hub: {answer.problem}", remedy)
    try:
        ask = Question(lambda: listed(recipe.model.reachable(workspace)), checkpoint)
        problems = ask.sound_answer(f"model.{recipe.model.label}")
    except KathrineError as error:
        return red("model", error.message, error.hint)
    if problems is None:
        return yellow(
            "model",
            f"{checkpoint} is not at hand; its family does not say whether it can be fetched",
            "run `kathrine prepare`",
        )
    if problems:
        sentence, _, remedy = problems[0].partition("; ")
        return red("model", sentence, remedy)
    return green("model", f"{checkpoint} is not at hand; the Hub lets this account fetch it")


def listed(sentences: Iterable[str] | None) -> list[str] | None:
    """All sentences now, in the thread that asks; None stays None."""
    return None if sentences is None else list(sentences)


def check_data(recipe: Recipe, workspace: Workspace) -> list[Finding]:
    """Each data entry: prepared already, or can its source be got at?"""
    if known_folder(recipe, workspace) is not None:
        return [green(f"data.{entry.name}", "prepared already") for entry in recipe.data]
    asked = [(entry, data_question(entry, recipe, workspace)) for entry in recipe.data]
    return [data_finding(entry, question) for entry, question in asked]


def data_question(entry: DataEntry, recipe: Recipe, workspace: Workspace) -> Question[list[str] | None]:
    """Ask a source whether it can be reached."""
    context = context_of(entry, recipe, workspace)
    return Question(lambda: listed(entry.source.reachable(context)), f"the place of {entry.source.name}")


def data_finding(entry: DataEntry, question: Question[list[str] | None]) -> Finding:
    """What a source said, or why it could not."""
    name = f"data.{entry.name}"
    place = str(getattr(entry.source.options, "root", "") or getattr(entry.source.options, "path", ""))
    told = f"{entry.source.name} {place}".strip()
    try:
        problems = question.sound_answer(f"source {entry.source.name}")
    except KathrineError as error:
        return red(name, error.message, error.hint or "look at the entry's options")
    if problems is None:
        return yellow(
            name, f"source {entry.source.name} does not say whether it can be reached", "run `kathrine prepare`"
        )
    if problems:
        sentence, _, remedy = problems[0].partition("; ")
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        return red(name, f"{sentence}{more}", remedy)
    return green(name, f"{told}: can be reached")


def check_exports(recipe: Recipe, workspace: Workspace) -> list[Finding]:
    """What every exporter says would fail after training: token, write right, names, cards."""
    if not recipe.exporters:
        return [yellow("exports", "the recipe exports nothing", "add [export.adapter], or leave it at checkpoints")]
    try:
        ask = Question(lambda: late_failures(recipe, workspace, SilentProgress()), "what exports ask", READY_SECONDS)
        problems = ask.sound_answer("an exporter")
    except KathrineError as error:
        return [red("exports", error.message, error.hint)]
    if not problems:
        names = ", ".join(exporter.label for exporter in recipe.exporters)
        return [green("exports", f"{names}: nothing that would fail after training was found")]
    return [red("exports", sentence, remedy) for sentence, _, remedy in (one.partition("; ") for one in problems)]


def check_metrics(recipe: Recipe) -> Sequence[Finding]:
    """Whether what `kathrine evaluate` would measure with is installed; a run itself needs none of it."""
    found = []
    for metric in (one for whole in recipe.metrics for one in whole.split()):
        missing = metric.available()
        name = f"evaluate.{metric.label}"
        if missing:
            found.append(yellow(name, f"would be skipped: {missing}", "install it before `kathrine evaluate`"))
        else:
            found.append(green(name, "what it runs on is installed"))
    return found
