"""The contract of a loaded speech model: batches, the aligned forward pass, synthesis.

Legend: N target rows of a batch, M target frames, F frames of an item, Q codebooks, V codec vocabulary.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, get_args

from kathrine.components import Collated, SpeechModel
from kathrine.errors import KathrineError
from kathrine.testing.problems import Contract
from kathrine.testing.tiny import different, losses_of
from kathrine.types import PromptedExample, Sampling, SpeechRequest, Stop, TalkerOutputs

SAME = 1e-4
"""Relative: float32 sums of another width."""
BUDGETS = (4, 1)


def check_batches(contract: Contract, model: SpeechModel, items: Sequence[PromptedExample]) -> None:
    """Sizes of a batch are those of its items, and nothing in it is infinite."""
    batch = model.collate(items)
    rows = [model.rows(item) for item in items]
    frames, ends = sum(item.example.frames for item in items), sum(item.end for item in items)
    wanted = {
        "items": len(items),
        "rows": sum(rows),
        "padded_rows": max(rows) * len(items),
        "targets": frames + ends,
        "target_frames": frames + ends * model.facts.end_is_frame,
    }
    for name, value in wanted.items():
        found = getattr(batch, name)
        contract.holds(found == value, f"a batch has {found} {name}, its items make {value}", Collated)
    for name, tensor in _tensors(batch):
        finite = not tensor.is_floating_point() or bool(tensor.isfinite().all())
        contract.holds(finite, f"a batch is padded with what is not finite: {name}", SpeechModel.collate)


def _tensors(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every tensor within a batch, with where it stands."""
    import torch

    if isinstance(value, torch.Tensor):
        yield name, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _tensors(inner, f"{name}.{key}".strip("."))
    elif isinstance(value, list | tuple):
        for place, inner in enumerate(value):
            yield from _tensors(inner, f"{name}[{place}]")
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from _tensors(getattr(value, field.name), f"{name}.{field.name}".strip("."))


def check_forward(contract: Contract, model: SpeechModel, items: Sequence[PromptedExample]) -> None:
    """Outputs belong to their targets, do not know them, and are those of the item alone."""
    import torch

    with torch.no_grad():
        outputs = model.forward(model.collate(items))
        _check_targets(contract, model, outputs, items)
        _check_no_leak(contract, model, items[0])
        _check_alone(contract, model, items, outputs)
        _check_sub_talker(contract, model, outputs)


def _check_targets(
    contract: Contract, model: SpeechModel, outputs: TalkerOutputs, items: Sequence[PromptedExample]
) -> None:
    import torch

    count, frames = len(outputs.targets_N), len(outputs.codes_MQ)
    fits = outputs.logits_NV.shape[0] == count == len(outputs.item_N) and len(outputs.item_M) == frames
    contract.holds(fits, "outputs and targets are not equally many", TalkerOutputs)
    hidden = outputs.hidden_MH is None or len(outputs.hidden_MH) == frames
    contract.holds(hidden, "hidden states and frames are not equally many", TalkerOutputs)
    contract.holds(bool(outputs.logits_NV.isfinite().all()), "logits are not finite", SpeechModel.forward)
    for number, item in enumerate(items):
        codes_FQ = torch.as_tensor(item.example.codes_FQ.astype("int64"))
        found_FQ = outputs.codes_MQ[outputs.item_M == number].cpu()
        whole = len(found_FQ) == len(codes_FQ) + item.end * model.facts.end_is_frame
        same = whole and torch.equal(found_FQ[: len(codes_FQ)], codes_FQ)
        contract.holds(same, f"item {number} has other codes as targets", TalkerOutputs)
        targets = outputs.targets_N[outputs.item_N == number].cpu()
        right = len(targets) == len(codes_FQ) + item.end and torch.equal(targets[: len(codes_FQ)], codes_FQ[:, 0])
        contract.holds(right, f"item {number} has other talker targets than its first codebook", TalkerOutputs)


def _check_no_leak(contract: Contract, model: SpeechModel, item: PromptedExample) -> None:
    """What predicts frame f is the same whatever frame f is, and another one after it."""
    at = item.example.frames // 2
    codes_FQ = item.example.codes_FQ.copy()
    codes_FQ[at] = (codes_FQ[at] + 1) % model.facts.codebook_size
    other = dataclasses.replace(item, example=dataclasses.replace(item.example, codes_FQ=codes_FQ))
    one, two = model.forward(model.collate([item])), model.forward(model.collate([other]))
    for name in ("logits_NV", "hidden_MH"):
        first, second = getattr(one, name), getattr(two, name)
        if first is None:
            continue
        known = different({name: first[: at + 1]}, {name: second[: at + 1]}, SAME)
        contract.holds(not known, f"what predicts a frame knows that frame: {known}", SpeechModel.forward)
        later = different({name: first[at + 1 :]}, {name: second[at + 1 :]}, SAME)
        contract.holds(later, f"{name} of later frames do not know the frame before them", SpeechModel.forward)


def _check_alone(
    contract: Contract, model: SpeechModel, items: Sequence[PromptedExample], outputs: TalkerOutputs
) -> None:
    talker_N, sub_MQ = losses_of(model, items)
    for number, item in enumerate(items):
        alone_N, alone_MQ = losses_of(model, [item])
        beside = {"talker losses": talker_N[outputs.item_N == number]}
        alone = {"talker losses": alone_N}
        if sub_MQ is not None and alone_MQ is not None:
            beside["sub-talker losses"], alone["sub-talker losses"] = sub_MQ[outputs.item_M == number], alone_MQ
        wrong = different(alone, beside, SAME)
        contract.holds(
            not wrong, f"item {number} has other losses in a padded batch than alone: {wrong}", SpeechModel.forward
        )


def _check_sub_talker(contract: Contract, model: SpeechModel, outputs: TalkerOutputs) -> None:
    import torch

    if outputs.hidden_MH is None:
        return
    where = SpeechModel.sub_talker_losses
    try:
        losses_MQ = model.sub_talker_losses(outputs.hidden_MH, outputs.codes_MQ)
    except KathrineError:
        return  # a family without one
    wanted = (len(outputs.codes_MQ), model.facts.codebooks - 1)
    fits = tuple(losses_MQ.shape) == wanted and losses_MQ.dtype == torch.float32
    contract.holds(fits, f"sub-talker losses are {losses_MQ.dtype} {list(losses_MQ.shape)}, not {list(wanted)}", where)
    some_MQ = model.sub_talker_losses(outputs.hidden_MH[::2], outputs.codes_MQ[::2])
    wrong = different({"losses": losses_MQ[::2]}, {"losses": some_MQ}, SAME)
    contract.holds(not wrong, f"a selection of frames has other sub-talker losses: {wrong}", where)


def check_generate(contract: Contract, model: SpeechModel, items: Sequence[PromptedExample]) -> None:
    """Synthesis keeps to its budget, says why it ended, and repeats itself for a seed."""
    import numpy as np

    requests = [SpeechRequest(item.text_ids, item.speaker_embedding_H, streamed=item.streamed) for item in items[:2]]
    where = SpeechModel.generate
    for budget in BUDGETS:
        told: list[int] = []
        made = model.generate(requests, Sampling(), budget, seed=5, progress=told.append)
        contract.holds(len(made) == len(requests), f"{len(requests)} requests became {len(made)}", where)
        for one in made:
            codes_TQ = one.codes_TQ
            fits = codes_TQ.ndim == 2 and codes_TQ.shape[1] == model.facts.codebooks and codes_TQ.dtype == np.int16
            contract.holds(fits, f"it made codes {codes_TQ.dtype} {list(codes_TQ.shape)}", where)
            contract.holds(len(codes_TQ) <= budget, f"it made {len(codes_TQ)} frames of {budget} allowed ones", where)
            contract.holds(one.stop in get_args(Stop), f"it stopped by {one.stop!r}", where)
            whole = one.stop != "budget" or len(codes_TQ) == budget
            contract.holds(whole, f"its budget of {budget} was used up after {len(codes_TQ)} frames", where)
        contract.holds(all(0 <= count <= budget for count in told), f"its progress is {told}", where)
        again = model.generate(requests, Sampling(), budget, seed=5)
        same = all(np.array_equal(one.codes_TQ, two.codes_TQ) for one, two in zip(made, again, strict=True))
        contract.holds(same, "the same seed gives other codes", where)
