"""`kathrine inspect TARGET --levers RECIPE`: the target with its weights, utterances of both languages, and what was
measured of every piece."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import torch

from kathrine.catalog import Catalog
from kathrine.components import Collated, Loss, ModelFamily, Progress, SpeechModel
from kathrine.corpus.batching import pack
from kathrine.corpus.mixture import Corpus, epoch_draws, training_keys
from kathrine.corpus.prepare import prepare
from kathrine.corpus.prompting import Prompter
from kathrine.errors import KathrineError
from kathrine.inspect.activations import activation_drift
from kathrine.inspect.lever_report import LeverReport, Spoken
from kathrine.inspect.levers import GROUP, LossOf, measure_levers, passes
from kathrine.inspect.pieces import module_paths, own_additions, pieces_of
from kathrine.inspect.target import recipe_for
from kathrine.recipe.prompts import fitting_prompt
from kathrine.recipe.recipe import Recipe
from kathrine.train.base import BaseModel
from kathrine.train.loaded import Loaded, Wish, load_target
from kathrine.train.setup import language_tag
from kathrine.train.step import auxiliary_term, talker_losses
from kathrine.types import PromptedExample, Stage
from kathrine.workspace import Workspace

NOT_A_RUN = "a complete model or an adapter has no strategies that could be switched off: inspect the run"


@dataclass(frozen=True, slots=True)
class LeverWish:
    """recipe and against: of the target and of the known language, with their profiles. batches: how many, as large as
    the recipe's. step: relative length of the small step."""

    recipe: str
    profile: str | None = None
    against: str | None = None
    against_profile: str | None = None
    batches: int = 4
    step: float = 1e-3
    group: int = GROUP


def lever_report(
    target: str,
    family: ModelFamily,
    wish: LeverWish,
    load: Wish,
    catalog: Catalog,
    workspace: Workspace,
    progress: Progress,
) -> LeverReport:
    """Prepare both corpora, load the target and measure.

    Given: target, as `load_target` takes it; family, that of its model (of an adapter's base model); load,
    whose precision has to be fp32. Raises: KathrineError for recipes of another family and corpora without training
    utterances.
    """
    recipe = recipe_for(wish.recipe, wish.profile, family, catalog, progress.say)
    known = None
    if wish.against is not None:
        known = recipe_for(wish.against, wish.against_profile, family, catalog, progress.say)
    corpora = [(one, prepare(one, workspace, progress)) for one in (recipe, known) if one is not None]
    with load_target(target, load, catalog, workspace, progress) as loaded:
        for line in loaded.told:
            progress.say(line)
        items = [utterances(loaded.model, one, corpus, wish.batches) for one, corpus in corpora]
        names = [wish.recipe, *([wish.against] if wish.against is not None else [])]
        spoken = [spoken_facts(name, found) for name, found in zip(names, items, strict=True)]
        report = measured_report(loaded, recipe.losses, items[0], items[1] if known else [], wish, progress)
    return replace(report, model=target, target=spoken[0], known=spoken[1] if known else None)


def utterances(model: SpeechModel, recipe: Recipe, corpus: Corpus, batches: int) -> list[PromptedExample]:
    """Training utterances of a corpus in the prompt forms of its recipe: as many as `batches` batches hold, from all
    data entries by their shares, always the same ones.

    Raises: KathrineError where there are none.
    """
    keys = training_keys(corpus.rows)
    if not keys:
        raise KathrineError(f"{recipe.name} has no training utterances", "look at the table of `kathrine prepare`")
    shares = {
        entry.name: float(len(keys[entry.name]) if entry.table.share is None else entry.table.share)
        for entry in recipe.data
        if keys.get(entry.name)
    }
    tables = {entry.name: entry.table for entry in recipe.data}
    prompter = Prompter(
        corpus.rows, fitting_prompt(recipe.prompt, model.facts), tables, recipe.run.seed, language_tag(recipe, model)
    )
    draws = epoch_draws(Stage("levers", shares, epochs=1), 0, 0, keys, recipe.run.seed)
    if recipe.train.batch.examples is not None:
        draws = draws[: batches * recipe.train.batch.examples]
    rows = [model.rows(prompter.outline(draw)) for draw in draws]
    packed = pack(draws, rows, recipe.train.batch, recipe.run.seed, "levers")[:batches]
    return [prompter.prompted(corpus, draw) for batch in packed for draw in batch]


def spoken_facts(name: str, items: Sequence[PromptedExample]) -> Spoken:
    """What the numbers of a language were measured on."""
    return Spoken(
        recipe=name,
        utterances=len(items),
        frames=sum(item.example.frames for item in items),
        entries=dict(sorted(Counter(item.example.entry for item in items).items())),
        tags=dict(sorted(Counter(item.language or "auto" for item in items).items())),
    )


def utterance_loss(
    model: SpeechModel,
    losses: Sequence[Loss],
    warn: Callable[[str], None],
    before: Mapping[int, torch.Tensor | None] | None = None,
) -> LossOf:
    """The loss of one utterance as training has it: mean talker loss of its targets, and each auxiliary loss over its
    own denominator times its weight; nothing is drawn. A loss that can not be computed is told once, and left out.

    Given: before, what the model before training predicted for each batch, by its `id`, for losses that need it.
    """
    missing: set[str] = set()

    def loss_of(batch: Collated) -> torch.Tensor:
        outputs = model.forward(batch)
        outputs.base_logits_NV = (before or {}).get(id(batch))
        total = talker_losses(outputs).mean()
        for loss in losses:
            term = auxiliary_term(loss, model, batch, outputs, None)
            if term is None:
                if loss.label not in missing:
                    warn(f"loss.{loss.label} can not be computed on this model: it is not in these numbers")
                missing.add(loss.label)
                continue
            total = total + loss.options.weight * term.total / max(1.0, loss.denominator(batch, model.facts))
        return total

    return loss_of


def measured_report(
    loaded: Loaded,
    losses: Sequence[Loss],
    target: Sequence[PromptedExample],
    known: Sequence[PromptedExample],
    wish: LeverWish,
    progress: Progress,
) -> LeverReport:
    """Levers and, of a run, activation drift of a loaded target. What only the caller knows (model, corpora) is left
    empty."""
    model = loaded.model
    added = own_additions(loaded.trainable.claims) if loaded.trainable is not None else ()
    parameters = dict(model.originals)
    if loaded.trainable is not None:
        parameters |= {spec.name: loaded.trainable.parameters[spec.name] for spec in added}
    specs = (*model.specs, *added)
    pieces = pieces_of(specs)
    device = next(iter(parameters.values())).device
    # collated before anything is switched off: base and adapted model see the same input rows
    batches, known_batches = ([model.collate([item]).to(device) for item in items] for items in (target, known))
    strategies = loaded.recipe.strategies if loaded.recipe is not None and loaded.trainable is not None else ()
    base_model = BaseModel.of(model, strategies, losses)
    # asked once: a step of the trained model must not move what it is compared with
    before = {
        id(batch): base_model.logits(base_model.collate([item], batch))
        for item, batch in zip([*target, *known], [*batches, *known_batches], strict=True)
    }
    loss_of = utterance_loss(model, losses, progress.warn, before)
    work = passes(pieces, len(batches), len(known_batches), wish.group)
    with progress.task(f"gradients and steps of {len(pieces)} pieces", total=work) as advance:
        measured = measure_levers(pieces, parameters, loss_of, batches, known_batches, wish.step, wish.group, advance)
    drift, why = None, NOT_A_RUN
    if loaded.trainable is not None:

        @contextmanager
        def base() -> Iterator[None]:
            with ExitStack() as stack:
                for strategy in strategies:
                    stack.enter_context(strategy.off())
                yield

        with progress.task("hidden states before and after", total=2 * (len(batches) + len(known_batches))) as advance:
            drift = activation_drift(
                model.network, module_paths(model.specs), loss_of, base, batches, known_batches, advance
            )
        why = ""
    return LeverReport(
        model="",
        told=tuple(loaded.told),
        parts=tuple(dict.fromkeys((*model.facts.parts, *(piece.part for piece in pieces)))),
        losses={"talker": 1.0, **{loss.label: loss.options.weight for loss in losses}},
        step=wish.step,
        target=None,
        known=None,
        measured=measured,
        activation_drift=None if drift is None else tuple(drift),
        activation_drift_missing=why,
    )
