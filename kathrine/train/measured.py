"""What exporters measure a model by: held-out loss, text gain, and one sentence said greedily.

Each is a function that takes any model of the family, so that what was written can be laid beside what was trained.
What the run's own model gives is measured once, however many exporters ask.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from kathrine.components import ModelFamily, SpeechModel
from kathrine.corpus.mixture import HIDDEN, Corpus, Draw
from kathrine.corpus.prompting import Prompter
from kathrine.speech.checks import measure
from kathrine.speech.takes import decode, frame_budget
from kathrine.train.sampling import Sampler
from kathrine.train.step import talker_losses
from kathrine.train.validation import HELD_OUT, Validator, another_text
from kathrine.types import PromptedExample, Sampling, Spoken

if TYPE_CHECKING:
    import numpy as np

CHECKED = 8
"""Utterances in the batch that exporters compare losses on."""
SECONDS = 6.0
"""The sentence of a self-check is cut here at the latest."""
GREEDY = Sampling(greedy=True, sub_greedy=True)

T = TypeVar("T")
Pair = tuple[PromptedExample, PromptedExample]


def checked_items(
    validator: Validator, corpus: Corpus, prompter: Prompter
) -> tuple[Sequence[PromptedExample], Sequence[Pair]]:
    """Items whose losses are compared, and pairs of the same item with its own and with another one's text.

    Held out where the run holds any out, else of the training data, in prompt forms that never change.
    """
    if validator.items:
        return validator.items[:CHECKED], validator.pairs[:CHECKED]
    keys = [row.key for row in corpus.rows if row.split == "train" and not row.id.startswith(HIDDEN)][:CHECKED]
    draws = [Draw(key, HELD_OUT, 0) for key in keys]
    items = [prompter.prompted(corpus, draw) for draw in draws]
    others = [another_text(corpus, keys, number) for number in range(len(keys))]
    return items, [
        (item, prompter.prompted(corpus, draw, other))
        for item, draw, other in zip(items, draws, others, strict=True)
        if other is not None
    ]


def mean_loss(model: SpeechModel, items: Sequence[PromptedExample]) -> float:
    """Teacher-forced talker loss, nat: in float32 where all weights are float32, else under bf16 autocast."""
    parameters = list(model.network.parameters())
    device = parameters[0].device
    mixed = any(parameter.dtype == torch.bfloat16 for parameter in parameters)
    was_training = model.network.training
    model.network.eval()
    context = torch.autocast(device.type, torch.bfloat16) if mixed else nullcontext()
    with torch.no_grad(), context:
        losses_N = talker_losses(model.forward(model.collate(items).to(device)))
    model.network.train(was_training)
    return float(losses_N.mean())


def validation_loss(items: Sequence[PromptedExample]) -> Callable[[SpeechModel], float]:
    """A function from a model to its loss on these items."""
    return lambda model: mean_loss(model, items)


def text_gain(pairs: Sequence[Pair]) -> Callable[[SpeechModel], float | None]:
    """A function from a model to its loss with the wrong texts less that with the right ones; None without any pair."""

    def gain_of(model: SpeechModel) -> float | None:
        if not pairs:
            return None
        return mean_loss(model, [wrong for _, wrong in pairs]) - mean_loss(model, [right for right, _ in pairs])

    return gain_of


def speaking(
    sampler: Sampler,
) -> Callable[[SpeechModel, ModelFamily, str | None, np.ndarray | None], Spoken | None]:
    """`FinishedRun.speak` for a run whose sentences this sampler speaks."""

    def speak(
        model: SpeechModel, family: ModelFamily, speaker: str | None = None, embedding_H: np.ndarray | None = None
    ) -> Spoken | None:
        line = sampler.first_line()
        if line is None:
            return None
        text, request = line
        if speaker is not None:
            request = replace(request, speaker=speaker, speaker_embedding_H=None)
        elif embedding_H is not None:
            request = replace(request, speaker_embedding_H=embedding_H)
        facts, limits = model.facts, sampler.limits
        budget = frame_budget(text, facts.frames_per_second, SECONDS, limits)
        was_training = model.network.training
        model.network.eval()
        (made,) = model.generate([request], GREEDY, budget)
        model.network.train(was_training)
        own = family is sampler.recipe.model
        codec = sampler.codec() if own else family.open_codec(sampler.workspace, sampler.device, decode_only=True)
        wave = decode(codec, made.codes_TQ)
        # A sentence that could not have ended within the budget was cut by it, and says nothing of the model.
        short = budget < frame_budget(text, facts.frames_per_second, float("inf"), limits)
        cut = short and made.stop == "budget"
        found = measure(
            wave,
            facts.sample_rate,
            "" if cut else text,
            made.codes_TQ[:, 0] if len(made.codes_TQ) else None,
            "end" if cut else made.stop,
            facts.frames_per_second,
            limits,
        )
        return Spoken(text, made.codes_TQ, wave, facts.sample_rate, made.stop, found.flags)

    return speak


def once(own: SpeechModel, ask: Callable[..., T]) -> Callable[..., T]:
    """The same function, which asks about the run's own model once only."""
    known: dict[int, T] = {}

    def asked(model: SpeechModel, *more: Any, **named: Any) -> T:
        plain = model is own and not named and len(more) < 2  # the run's own voice
        if not plain:
            return ask(model, *more, **named)
        if 0 not in known:
            known[0] = ask(model, *more)
        return known[0]

    return asked
