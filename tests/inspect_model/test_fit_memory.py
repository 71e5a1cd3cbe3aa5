"""The estimate of a step's memory against the step itself: on the tiny model, and at the released widths."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from step_memory import Peak, measured, measured_step, released_config

from kathrine.inspect.fit import moments, peak, static_bytes
from kathrine.inspect.fit_table import MARGIN
from kathrine.inspect.fit_time import operations
from kathrine.testing.tiny import made_up_items
from kathrine.workspace import Workspace
from kathrine_base_kl import BaseKl
from kathrine_csm import CsmFamily
from kathrine_freeze import Freeze
from kathrine_language_tag import LanguageTag
from kathrine_lora import Lora
from kathrine_qwen3_tts.config import read_config
from kathrine_qwen3_tts.tiny import DATA
from kathrine_sub_talker import SubTalker
from kathrine_text_projection import TextProjection

TINY = read_config(DATA)
ALL = ["text_embedding", "text_projection", "codec_embedding", "talker", "codec_head", "sub_talker_embedding"]
ALL += ["sub_talker_projection", "sub_talker", "sub_talker_head"]


def lora(**options):
    return Lora(Lora.Options(lr=1e-5, **options))


def freeze(**options):
    return Freeze(Freeze.Options(lr=1e-5, **options))


def projection():
    return TextProjection(TextProjection.Options(lr=1e-5))


def sub_talker(share=1.0):
    return SubTalker(SubTalker.Options(weight=0.2, share=share))


STRATEGIES = {
    "baseline": lambda: [lora(), projection()],
    "lora on the MLP, no dropout": lambda: [lora(mlp=True, r=16, dropout=0.0)],
    "DoRA on both bodies": lambda: [lora(dora=True, mlp=True, parts=["talker", "sub_talker"])],
    "first layer": lambda: [freeze(first_layers=1)],
    "last layer": lambda: [freeze(last_layers=1)],
    "heads": lambda: [freeze(parts=["codec_head", "sub_talker_head"])],
    "sub-talker": lambda: [freeze(parts=["sub_talker"])],
    "everything": lambda: [freeze(parts=ALL)],
    "tag": lambda: [LanguageTag(LanguageTag.Options(lr=1e-5))],
}


def check(found):
    """Within 15 % of the peak; and what comes on top of what always lies there, too, so that large weights hide
    nothing."""
    need = peak(found.setting)
    assert abs(need.total / found.peak - 1) < MARGIN, (need, found.peak)
    static = sum(static_bytes(found.setting))
    assert abs((need.total - static) / (found.peak - static) - 1) < MARGIN, (need, found.peak, static)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", STRATEGIES)
def test_every_way_to_train_the_tiny_model(name, precision):
    check(measured(TINY, STRATEGIES[name](), [sub_talker()], precision=precision))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", ["baseline", "everything"])
@pytest.mark.parametrize(
    "more",
    [
        {"checkpointing": True},
        {"losses": [], "utterances": 3},
        {"losses": ["sub"], "share": 0.25},
        {"losses": ["sub", "kl"], "share": 0.25},
        {"accumulation": 2, "ema": 0.99},
    ],
    ids=["checkpointing", "talker alone", "share", "base_kl", "accumulation and EMA"],
)
def test_what_else_changes_the_memory(name, precision, more):
    more = dict(more)
    wanted, share = more.pop("losses", ["sub"]), more.pop("share", 1.0)
    known = {"sub": sub_talker(share), "kl": BaseKl(BaseKl.Options(weight=0.1))}
    check(measured(TINY, STRATEGIES[name](), [known[one] for one in wanted], precision=precision, **more))


@pytest.mark.parametrize(
    ("name", "precision", "checkpointing"),
    [("baseline", "bf16", False), ("baseline", "fp32", True), ("first layer", "bf16", False)],
)
def test_at_the_widths_of_the_released_model(name, precision, checkpointing):
    """Two talker layers and one of the sub-talker, a short text table; all else as wide as the 0.6B."""
    config = released_config("Qwen3-TTS-12Hz-0.6B-Base", layers=2, sub_layers=1, text_rows=2000)
    found = measured(
        config,
        STRATEGIES[name](),
        [sub_talker()],
        precision=precision,
        checkpointing=checkpointing,
        utterances=2,
        seconds=1.0,
    )
    check(found)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("way", ["lora", "whole"])
def test_another_family(way, precision):
    """Sesame CSM: no norms of queries and keys, no text projection, heads that are one tensor."""
    family = CsmFamily(CsmFamily.Options(checkpoint=CsmFamily.tiny))
    workspace = Workspace.default()
    model = family.load(workspace, dtype=precision)
    ways = {"lora": [lora()], "whole": [freeze(parts=["talker", "sub_talker", "sub_talker_head"])]}
    items = made_up_items(family, workspace)
    check(measured_step(model, family.bodies(workspace), items, ways[way], [sub_talker()], precision=precision))


def test_operations_equal_what_torch_counts():
    from torch.utils.flop_counter import FlopCounterMode

    for checkpointing in (False, True):
        with FlopCounterMode(display=False) as counter:
            found = measured(
                TINY, STRATEGIES["everything"](), [sub_talker()], precision="fp32", checkpointing=checkpointing
            )
        assert operations(found.setting) == pytest.approx(counter.get_total_flops() / 2, rel=0.15)


def test_the_counter_of_storages_counts_to_the_byte():
    with Peak() as counter:
        first = torch.zeros(1000)
        second = first + 1
        view = second[10:]
        del first
        assert counter.live == 4000 and counter.peak == 8000
        del second
        assert counter.live == 4000
        del view
        assert counter.live == 0


def test_the_walk_goes_forward_then_backward_and_ends_with_the_optimizer():
    found = measured(TINY, STRATEGIES["everything"](), [sub_talker()], precision="fp32", accumulation=2)
    walk = moments(found.setting)
    places = [one.where for one in walk]
    assert places.index("the heads of talker, forward") < places.index("the heads of sub_talker, forward")
    assert places.index("the heads of sub_talker, backward") < places.index("the heads of talker, backward")
    assert places[-1] == "the optimizer"
    assert walk[-1].gradients == 4 * found.setting.trained
    assert all(one.gradients <= 4 * found.setting.trained for one in walk)
    assert peak(found.setting).total == max(one.total for one in walk)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here: not verified on a GPU")
@pytest.mark.parametrize("checkpointing", [False, True])
def test_on_a_gpu(checkpointing):
    config = released_config("Qwen3-TTS-12Hz-0.6B-Base")
    found = measured(
        deepcopy(config),
        STRATEGIES["baseline"](),
        [sub_talker()],
        precision="bf16",
        checkpointing=checkpointing,
        utterances=4,
        seconds=10.0,
        device="cuda",
    )
    assert peak(found.setting).total == pytest.approx(found.peak, rel=MARGIN)
