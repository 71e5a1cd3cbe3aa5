"""What `check_model_family` rejects: the toy family, broken in one place, which it has to name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from rejecting import rejected

from kathrine import Workspace
from kathrine.testing import ToyFamily, check_model_family
from kathrine.toy import ToyCodec, ToyModel
from kathrine.types import Fingerprints, Generated, SelfCheck


class Listening(ToyCodec):
    """The toy codec with codes that follow from the sound, and with two decodings that differ."""

    def encode(self, waves: Any) -> Any:
        return [codes + (np.arange(len(codes))[:, None] % 7).astype(np.int16) for codes in super().encode(waves)]


class Broken(ToyFamily):
    """The toy family; its model is the toy's, of another class."""

    model: type[ToyModel] = ToyModel

    def load(self, workspace: Workspace, device: str = "cpu", dtype: str = "fp32") -> ToyModel:
        loaded = super().load(workspace, device, dtype)
        loaded.__class__ = self.model
        return loaded


class MissesAParameter(Broken):
    def parameters(self, workspace: Workspace) -> Any:
        return super().parameters(workspace)[:-1]


class WrongShape(Broken):
    def parameters(self, workspace: Workspace) -> Any:
        *rest, last = super().parameters(workspace)
        return (*rest, replace(last, shape=(33,)))


class InventsAPart(Broken):
    def facts(self, workspace: Workspace) -> Any:
        facts = super().facts(workspace)
        return replace(facts, parts=(*facts.parts, "vocoder"))


class Heavy(Broken):
    """Reads its parameters off a network."""

    def parameters(self, workspace: Workspace) -> Any:
        import torch

        assert torch.zeros(1).numel() == 1
        return super().parameters(workspace)


class EmbedsNothing(Broken):
    tiny = ""


class PadDependent(ToyModel):
    """Divides what it computes by the share of the rectangle that means something."""

    def forward(self, batch: Any) -> Any:
        outputs = super().forward(batch)
        outputs.logits_NV = outputs.logits_NV * (batch.rows / batch.padded_rows)
        return outputs


class PaddedLosses(Broken):
    model = PadDependent


class LeakyModel(ToyModel):
    def forward(self, batch: Any) -> Any:
        outputs = super().forward(batch)
        outputs.hidden_MH = outputs.hidden_MH + outputs.codes_MQ[:, :1]
        return outputs


class Leaks(Broken):
    model = LeakyModel


class ShiftedModel(ToyModel):
    def forward(self, batch: Any) -> Any:
        outputs = super().forward(batch)
        outputs.codes_MQ = outputs.codes_MQ.roll(1, dims=0)
        return outputs


class Shifted(Broken):
    model = ShiftedModel


class InfinitePads(ToyModel):
    def collate(self, items: Any) -> Any:
        batch = super().collate(items)
        batch.tensors["bias"] = torch.full((2,), float("-inf"))
        return batch


class InfinitePadding(Broken):
    model = InfinitePads


class Talkative(ToyModel):
    def generate(self, requests: Any, sampling: Any, max_frames: int, *more: Any, **others: Any) -> Any:
        return super().generate(requests, sampling, max_frames + 1, *more, **others)


class OverBudget(Broken):
    model = Talkative


class EarlyModel(ToyModel):
    def generate(self, requests: Any, sampling: Any, max_frames: int, *more: Any, **others: Any) -> Any:
        return [Generated(np.zeros((1, 4), dtype=np.int16), "budget") for _ in requests]


class EndsEarly(Broken):
    model = EarlyModel


class DoubtfulModel(ToyModel):
    def self_test(self) -> list[SelfCheck]:
        return [SelfCheck("talker at j+1", False, 6.5, 1.0, "the next frame is predicted")]


class Doubtful(Broken):
    model = DoubtfulModel


class CrowdedCodec(ToyCodec):
    def encode(self, waves: Any) -> Any:
        return [codes + np.int16(len(waves)) for codes in super().encode(waves)]


class Crowded(Broken):
    def open_codec(self, *place: Any, **more: Any) -> Any:
        return CrowdedCodec()


class ShortCodec(ToyCodec):
    def decode(self, codes: Any, progress: Any = None) -> Any:
        return [wave[:-5] for wave in super().decode(codes, progress)]


class Short(Broken):
    def open_codec(self, *place: Any, **more: Any) -> Any:
        return ShortCodec()


class DeafToText(Broken):
    def open_text(self, workspace: Workspace) -> Any:
        return lambda text: (1, 2, 3)


class NewEachTime(Broken):
    asked = 0

    def fingerprints(self, workspace: Workspace) -> Fingerprints:
        NewEachTime.asked += 1
        return Fingerprints(codec=str(NewEachTime.asked), speaker="", text="toy")


BROKEN = {
    MissesAParameter: "parameters does not tell of sub_talker.2.bias",
    WrongShape: "parameters tells of other shapes: sub_talker.2.bias (33,), really (32,)",
    InventsAPart: "parts of its facts and of its parameters differ: vocoder",
    Heavy: "facts and parameters load torch",
    EmbedsNothing: "it embeds no tiny checkpoint",
    PaddedLosses: "item 0 has other losses in a padded batch than alone: talker losses differ",
    Leaks: "what predicts a frame knows that frame: hidden_MH differ",
    Shifted: "item 0 has other codes as targets",
    InfinitePadding: "a batch is padded with what is not finite: tensors.bias",
    OverBudget: "it made 5 frames of 4 allowed ones",
    EndsEarly: "its budget of 4 was used up after 1 frames",
    Doubtful: "its self-test fails: talker at j+1: 6.5, limit 1",
    Crowded: "codes depend on what else is in the list",
    Short: "become a wave [7675], not [7680]",
    DeafToText: "two texts get the same ids",
    NewEachTime: "its fingerprints change",
}


@pytest.mark.parametrize("broken", BROKEN, ids=lambda one: one.__name__)
def test_a_family(broken: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if broken is not Heavy:  # the others need no fresh process to be found out
        monkeypatch.setattr("kathrine.testing.families._check_light", lambda *given: None)
    rejected(lambda: check_model_family(broken(), Workspace(tmp_path)), BROKEN[broken])


def test_the_family_they_are_made_of_passes(tmp_path: Any) -> None:
    class Good(Broken):
        def open_codec(self, *place: Any, **more: Any) -> Any:
            return Listening()

    assert check_model_family(Good(), Workspace(tmp_path)).facts.family == "toy"
