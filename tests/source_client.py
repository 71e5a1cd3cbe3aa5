"""Runs one source from options to utterances and tells what happened, in this process or in one of its
own."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kathrine import KathrineError, SourceContext, Workspace


class Recorder:
    """A Progress that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []

    @contextmanager
    def task(self, description: str, total: float | None = None) -> Iterator[Callable[..., None]]:
        yield lambda amount=1, description=None: None

    def say(self, message: str) -> None:
        self.said.append(message)

    def warn(self, message: str) -> None:
        self.warned.append(message)


def context_in(folder: Path, name: str, **wishes: Any) -> SourceContext:
    """A context with its workspace in `folder`."""
    workspace = Workspace(folder)
    if "speakers" in wishes:
        wishes["speakers"] = tuple(wishes["speakers"])
    settings = {"seed": 1, "progress": Recorder(), **wishes}
    return SourceContext(folder=workspace.sources / name, workspace=workspace, **settings)


def run_source(component: str, options: Mapping[str, Any], folder: Path, **wishes: Any) -> dict[str, Any]:
    """Prepare and list. component: `module:Class`. Returns plain data: utterances, said, warned, or error and
    hint."""
    module, _, name = component.partition(":")
    kind = getattr(importlib.import_module(module), name)
    context = context_in(folder, kind.name, **wishes)
    told: dict[str, Any] = {"said": context.progress.said, "warned": context.progress.warned}
    try:
        source = kind(kind.Options.model_validate_json(json.dumps(dict(options))))
        source.prepare(context)
        told["utterances"] = [
            {
                "id": utterance.id,
                "audio": str(utterance.audio),
                "texts": dict(utterance.texts),
                "speaker": utterance.speaker,
                "language": utterance.language,
                "split": utterance.split,
                "start": utterance.start,
                "end": utterance.end,
                "seconds": utterance.seconds,
                "cut": utterance.cut,
                "facts": dict(utterance.facts),
            }
            for utterance in source.utterances(context)
        ]
        told["left_out"] = {reason: count for reason, count in source.left_out().items() if count}
    except KathrineError as problem:
        told |= {"error": problem.message, "hint": problem.hint}
    told["modules"] = sorted({name.partition(".")[0] for name in sys.modules})
    return told


def ask_hub(
    environment: Mapping[str, str], component: str, options: Mapping, folder: Path, wishes: Mapping
) -> dict[str, Any]:
    """`run_source` in a process of its own, which the Hub client needs to read its environment; adds its
    stderr."""
    request = {
        "component": component,
        "options": dict(options),
        "folder": str(folder),
        "wishes": dict(wishes),
    }
    done = subprocess.run(
        [sys.executable, __file__, json.dumps(request)],
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return json.loads(done.stdout) | {"stderr": done.stderr}


if __name__ == "__main__":
    request = json.loads(sys.argv[1])
    answer = run_source(request["component"], request["options"], Path(request["folder"]), **request["wishes"])
    print(json.dumps(answer))
