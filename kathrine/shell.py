"""Commands as they have to be typed here: what is printed for people to copy has to work."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path


def program() -> str:
    """How this program was called: `kathrine`, a path to it, or an interpreter with `-m kathrine`."""
    called = sys.argv[0] if sys.argv else ""
    if Path(called).name == "kathrine":
        return shlex.quote(called)
    return f"{shlex.quote(sys.executable)} -m kathrine"


def environment() -> str:
    """The workspace, where it was named for this process: the next command needs it too."""
    named = os.environ.get("KATHRINE_WORKSPACE")
    return f"KATHRINE_WORKSPACE={shlex.quote(named)} " if named else ""


def same_command() -> str:
    """The command that was typed."""
    return " ".join([program(), *map(shlex.quote, sys.argv[1:])])
