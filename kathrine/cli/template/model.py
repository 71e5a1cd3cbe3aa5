"""The model family `newname`: the smallest that works, to be replaced piece by piece.

It starts from kathrine's toy, a recurrent network of four codebooks without a real codec, and has a text projection
of its own. Yours will have its own `Codec`, `SpeechModel` and `ModelFamily`: read those classes in
`kathrine.components`, and kathrine/toy.py for each of their methods at its smallest.

Legend: B items, T input rows, H width.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import kathrine
from kathrine.toy import WIDTH, ToyFamily, ToyModel, ToyOptions, toy_network
from kathrine.types import ModelFacts, ParameterSpec

if TYPE_CHECKING:
    import torch

TINY = "newname:tiny"
PROJECTION = ParameterSpec("text_projection.weight", (WIDTH, WIDTH), "text_projection")


class NewNameFamilyOptions(ToyOptions):
    """Options of `[model.newname]`."""

    checkpoint: str = TINY
    """"newname:tiny", whose weights follow from the seed, or a folder that an export wrote."""


class NewNameModel(ToyModel):
    """The toy with a matrix between the letters and the network. See kathrine.SpeechModel."""

    def build(self, options: ToyOptions) -> torch.nn.Module:
        import torch

        network = toy_network(options)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(options.seed)
            network.text_projection = torch.nn.Linear(WIDTH, WIDTH, bias=False)
        return network

    def text_rows(self, text_BT: torch.Tensor) -> torch.Tensor:
        network: Any = self.network
        return network.text_projection(super().text_rows(text_BT).to(network.head.weight.dtype))


class NewNameFamily(ToyFamily):
    """A toy network with a text projection."""

    name = "newname"
    tiny = TINY
    Options = NewNameFamilyOptions
    model = NewNameModel

    def facts(self, workspace: kathrine.Workspace) -> ModelFacts:
        facts = super().facts(workspace)
        parts = (*facts.parts, PROJECTION.part)
        return replace(facts, family=self.name, checkpoint=self.options.checkpoint, parts=parts)

    def parameters(self, workspace: kathrine.Workspace) -> tuple[ParameterSpec, ...]:
        return (*super().parameters(workspace), PROJECTION)
