"""Exporter `hub`: what a run made, on the Hub, while it trains and when it is done; and the command `kathrine push`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import kathrine
from kathrine_hub.exporter import Hub
from kathrine_hub.options import HubOptions

if TYPE_CHECKING:
    import click

__all__ = ["Hub", "HubOptions"]


@kathrine.hookimpl
def kathrine_exporters() -> list[type[kathrine.Exporter]]:
    return [Hub]


@kathrine.hookimpl
def kathrine_commands(cli: click.Group) -> None:
    from kathrine_hub.command import command

    cli.add_command(command)
