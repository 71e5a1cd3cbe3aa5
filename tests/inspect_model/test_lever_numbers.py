"""Every number of `--levers` against a direct computation on the tiny model: plain backward passes on another copy of
it, and steps and finite differences made by hand."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tiny_training import claim_and_apply, made_up, tiny_model

from kathrine import SpeechModel
from kathrine.errors import KathrineError
from kathrine.inspect.activations import activation_drift
from kathrine.inspect.levers import Measured, groups, measure_levers, passes
from kathrine.inspect.pieces import Piece, module_paths, own_additions, pieces_of
from kathrine.progress import SilentProgress
from kathrine.testing import ToyFamily, prepared_toy_corpus, toy_recipe
from kathrine.toy import ToyOptions
from kathrine.train.levers import LeverWish, measured_report, spoken_facts, utterance_loss, utterances
from kathrine.train.loaded import Loaded
from kathrine.train.trainable import Trainable
from kathrine.types import ParameterSpec, PromptedExample
from kathrine.workspace import Workspace
from kathrine_base_kl import BaseKl, BaseKlOptions
from kathrine_language_tag.strategy import LanguageTag
from kathrine_lora import Lora
from kathrine_sub_talker.loss import SubTalker, SubTalkerOptions

WEIGHT, STEP = 0.3, 1e-3


def spoken(model: SpeechModel, names: Sequence[str]) -> list[PromptedExample]:
    """An utterance of each name, of different lengths, in both layouts."""
    examples = [made_up(model, name, frames=4 + 2 * number) for number, name in enumerate(names)]
    return [
        PromptedExample(one, one.text_ids["text"], one.speaker_embedding_H, streamed=number % 2 == 0)
        for number, one in enumerate(examples)
    ]


TARGET, KNOWN = ("båt", "hei"), ("boat", "hello", "three")


def levers_of(model: SpeechModel, group: int = 10**9, known: bool = True, **more: Any) -> Measured:
    losses = [SubTalker(SubTalkerOptions(weight=WEIGHT, share=0.25))]
    batches, others = ([model.collate([item]) for item in spoken(model, names)] for names in (TARGET, KNOWN))
    return measure_levers(
        pieces_of(model.specs),
        model.originals,
        utterance_loss(model, losses, pytest.fail),
        batches,
        others if known else (),
        STEP,
        group,
        **more,
    )


@pytest.fixture(scope="module")
def model() -> SpeechModel:
    return tiny_model()


@pytest.fixture(scope="module")
def found(model: SpeechModel) -> Measured:
    return levers_of(model)


# --------------------------------------------------------------------------- the direct computation


def loss_by_hand(model: SpeechModel, item: PromptedExample) -> torch.Tensor:
    """Mean cross entropy of the utterance's targets, and 0.3 times that of codebooks 1 and up of all its frames."""
    network: Any = model.network
    outputs = model.forward(model.collate([item]))
    talker = F.cross_entropy(outputs.logits_NV, outputs.targets_N)
    logits_MKV = network.sub_talker_logits(outputs.hidden_MH, outputs.codes_MQ)
    rest = [F.cross_entropy(logits_MKV[:, q], outputs.codes_MQ[:, q + 1]) for q in range(logits_MKV.shape[1])]
    return talker + WEIGHT * torch.stack(rest).mean()


def gradients_by_hand(model: SpeechModel, names: Sequence[str]) -> list[dict[str, torch.Tensor]]:
    """Of each utterance's loss, in double precision, by official name; zero where there is none."""
    made = []
    for item in spoken(model, names):
        model.network.zero_grad(set_to_none=True)
        loss_by_hand(model, item).backward()
        made.append(
            {
                name: torch.zeros_like(one, dtype=torch.float64) if one.grad is None else one.grad.double().clone()
                for name, one in model.originals.items()
            }
        )
    return made


@pytest.fixture(scope="module")
def copy() -> SpeechModel:
    """Another copy of the same model, whose parameters all ask for gradients."""
    other = tiny_model()
    other.network.requires_grad_(True)
    return other


@pytest.fixture(scope="module")
def by_hand(copy: SpeechModel) -> tuple[list[dict[str, torch.Tensor]], list[dict[str, torch.Tensor]]]:
    return gradients_by_hand(copy, TARGET), gradients_by_hand(copy, KNOWN)


PATTERNS = {
    "text_embedding": r"talker\.model\.text_embedding\.",
    "text_projection": r"talker\.text_projection\.",
    "codec_embedding": r"talker\.model\.codec_embedding\.",
    "codec_head": r"talker\.codec_head\.",
    "talker norms": r"talker\.model\.norm\.",
    "sub_talker norms": r"talker\.code_predictor\.model\.norm\.",
    "sub_talker_projection": r"talker\.code_predictor\.small_to_mtp_projection\.",
    "speaker_encoder": r"speaker_encoder\.",
    **{
        f"{part} {layer} {piece}": rf"{prefix}\.layers\.{layer}\.(?:{inside})"
        for part, prefix, layers in (
            ("talker", r"talker\.model", 3),
            ("sub_talker", r"talker\.code_predictor\.model", 2),
        )
        for layer in range(layers)
        for piece, inside in (
            ("attention", r"self_attn\."),
            ("mlp", r"mlp\."),
            ("norms", r"input_layernorm\.|post_attention_layernorm\."),
        )
    },
    **{f"sub_talker_head {n}": rf"talker\.code_predictor\.lm_head\.{n}\." for n in range(15)},
    **{f"sub_talker_embedding {n}": rf"talker\.code_predictor\.model\.codec_embedding\.{n}\." for n in range(15)},
}
"""What each piece of the tiny model consists of, by the published names."""


def names_of(model: SpeechModel, piece: str) -> list[str]:
    return [name for name in model.originals if re.match(PATTERNS[piece], name)]


def test_pieces_are_parts_layers_and_heads_and_hold_every_parameter_once(model: SpeechModel) -> None:
    pieces = pieces_of(model.specs)
    assert {piece.name: list(piece.names) for piece in pieces} == {
        name: [one for one in names_of(model, name)] for name in PATTERNS
    }
    assert sorted(name for piece in pieces for name in piece.names) == sorted(model.originals)


def test_gradients_cosine_and_fisher_are_those_of_plain_backward_passes(
    model: SpeechModel, found: Measured, by_hand: tuple[list, list]
) -> None:
    target, known = by_hand
    assert {lever.name for lever in found.levers} == set(PATTERNS)
    for lever in found.levers:
        names = names_of(model, lever.name)
        count = sum(model.originals[name].numel() for name in names)
        flat = [[torch.cat([one[name].flatten() for name in names]) for one in side] for side in (target, known)]
        mean, other = (torch.stack(side).mean(dim=0) for side in flat)
        assert lever.parameters == count
        assert lever.gradient_norm == pytest.approx(float(mean.norm()), rel=1e-4, abs=1e-12), lever.name
        assert lever.gradient_per_parameter == pytest.approx(float(mean.square().mean().sqrt()), rel=1e-4, abs=1e-12)
        assert lever.known_gradient_norm == pytest.approx(float(other.norm()), rel=1e-4, abs=1e-12)
        # the Fisher diagonal itself, added up: not the square of the mean gradient
        diagonal = torch.stack([one.square() for one in flat[0]]).mean(dim=0)
        assert lever.fisher == pytest.approx(float(diagonal.sum()), rel=1e-4, abs=1e-12), lever.name
        assert lever.fisher_per_parameter == pytest.approx(float(diagonal.mean()), rel=1e-4, abs=1e-15)
        length = torch.cat([model.originals[name].detach().double().flatten() for name in names]).norm()
        assert lever.weight_norm == pytest.approx(float(length), rel=1e-6)
        assert lever.reached == (lever.name != "speaker_encoder")
        if lever.reached:
            cosine = float(mean @ other / (mean.norm() * other.norm()))
            assert lever.cosine == pytest.approx(cosine, abs=1e-4), lever.name
            assert lever.fisher > 1.001 * lever.gradient_norm**2  # utterances differ
        else:
            assert lever.cosine is None and lever.gain is None and lever.gain_per_parameter is None


def test_loss_and_gain_are_those_of_steps_made_by_hand(
    found: Measured, copy: SpeechModel, by_hand: tuple[list, list]
) -> None:
    def loss(names: Sequence[str]) -> float:
        with torch.no_grad():
            return sum(float(loss_by_hand(copy, item)) for item in spoken(copy, names)) / len(names)

    before = loss(TARGET)
    assert found.loss == pytest.approx(before, rel=1e-6)
    assert found.known_loss == pytest.approx(loss(KNOWN), rel=1e-6)
    for lever in found.levers:
        if not lever.reached:
            continue
        names = names_of(copy, lever.name)
        slope = {name: torch.stack([one[name] for one in by_hand[0]]).mean(dim=0) for name in names}
        length = math.sqrt(sum(float(one.square().sum()) for one in slope.values()))
        kept = {name: copy.originals[name].detach().clone() for name in names}
        weight = math.sqrt(sum(float(one.double().square().sum()) for one in kept.values()))
        with torch.no_grad():
            for name in names:
                copy.originals[name].copy_(kept[name].double() - STEP * weight / length * slope[name])
        gain = before - loss(TARGET)
        with torch.no_grad():
            for name in names:
                copy.originals[name].copy_(kept[name])
        # losses near 10 nat in float32: differences are good to some 1e-6
        assert lever.gain == pytest.approx(gain, rel=2e-3, abs=4e-6), lever.name
        assert lever.gain_per_parameter == pytest.approx(lever.gain / lever.parameters, rel=1e-12)
        # a small step down the gradient gains about its length times the slope
        assert lever.gain == pytest.approx(STEP * weight * length, rel=0.1, abs=4e-6), lever.name


def test_finite_differences_agree_with_the_gradient(copy: SpeechModel, by_hand: tuple[list, list]) -> None:
    """Central differences along the gradient of one piece, in double precision from end to end."""
    precise = tiny_model()
    precise.network.double()
    names = names_of(precise, "talker 1 attention")
    slope = {name: torch.stack([one[name] for one in by_hand[0]]).mean(dim=0) for name in names}
    length = math.sqrt(sum(float(one.square().sum()) for one in slope.values()))

    def loss_at(distance: float) -> float:
        with torch.no_grad():
            for name in names:
                precise.originals[name].add_(slope[name], alpha=distance / length)
            value = sum(float(loss_by_hand(precise, item)) for item in spoken(precise, TARGET)) / len(TARGET)
            for name in names:
                precise.originals[name].sub_(slope[name], alpha=distance / length)
        return value

    assert (loss_at(0.02) - loss_at(-0.02)) / 0.04 == pytest.approx(length, rel=2e-3)


# --------------------------------------------------------------------------- what it leaves, and how it is divided


def test_nothing_is_left_changed() -> None:
    model, untouched = tiny_model(), tiny_model()
    wanted = next(iter(model.originals.values()))
    wanted.requires_grad_(True)
    tensors = {name: parameter.data_ptr() for name, parameter in model.originals.items()}
    levers_of(model, known=False)
    for name, parameter in model.originals.items():
        assert torch.equal(parameter, untouched.originals[name]) and parameter.data_ptr() == tensors[name]
        assert parameter.grad is None
        assert parameter.requires_grad == (parameter is wanted)


def test_groups_hold_no_more_than_asked_and_change_no_number(model: SpeechModel, found: Measured) -> None:
    pieces = pieces_of(model.specs)
    divided = list(groups(pieces, 150_000))
    assert [piece for group in divided for piece in group] == list(pieces)
    assert all(len(group) == 1 or sum(piece.parameters for piece in group) <= 150_000 for group in divided)
    assert len(divided) > 3
    done: list[float] = []
    again = levers_of(model, group=150_000, advance=lambda amount=1, told=None: done.append(amount))
    assert again == found  # bit for bit: the same passes, in the same order
    assert sum(done) == passes(pieces, len(TARGET), len(KNOWN), 150_000)


def test_the_greatest_gain_per_parameter_comes_first(found: Measured) -> None:
    gains = [lever.gain_per_parameter for lever in found.levers]
    assert gains[-1] is None and sorted(gains[:-1], reverse=True) == gains[:-1]  # type: ignore[type-var]


def test_without_a_known_language_there_is_no_cosine(model: SpeechModel, found: Measured) -> None:
    alone = levers_of(model, known=False)
    assert alone.known_loss is None and alone.loss == found.loss
    by_name = {lever.name: lever for lever in found.levers}
    for lever in alone.levers:
        assert lever.cosine is None and lever.known_gradient_norm is None
        assert lever.gain == by_name[lever.name].gain and lever.fisher == by_name[lever.name].fisher


def test_a_language_against_itself_has_cosine_one(model: SpeechModel) -> None:
    batches = [model.collate([item]) for item in spoken(model, TARGET)]
    pieces = [piece for piece in pieces_of(model.specs) if piece.name in ("text_projection", "codec_head")]
    measured = measure_levers(pieces, model.originals, utterance_loss(model, [], pytest.fail), batches, batches, STEP)
    assert [lever.cosine for lever in measured.levers] == [pytest.approx(1.0, abs=1e-6)] * 2


def test_a_loss_that_is_not_finite_is_an_error() -> None:
    broken = tiny_model()
    with torch.no_grad():
        broken.originals["talker.codec_head.weight"].fill_(float("nan"))
    with pytest.raises(KathrineError, match="of the target language is not finite"):
        levers_of(broken)


def test_a_step_to_where_the_loss_is_not_finite_is_an_error_and_taken_back(model: SpeechModel) -> None:
    weight = torch.nn.Parameter(torch.ones(1))
    batches = [model.collate(spoken(model, ["x"]))]
    piece = Piece("part", None, "", 1, ("w",))
    with pytest.raises(KathrineError, match="after a step on part is not finite") as raised:
        measure_levers([piece], {"w": weight}, lambda batch: weight.log().sum(), batches, (), step=1.0)
    assert "smaller --step" in raised.value.hint
    assert weight.item() == 1.0 and weight.requires_grad


# --------------------------------------------------------------------------- a trained model


def trained() -> tuple[SpeechModel, Loaded]:
    """The tiny model with adapters and a language tag that were moved from where they began."""
    model = tiny_model()
    strategies = (
        Lora(Lora.Options(lr=1e-3, mlp=True, dropout=0.0)),
        LanguageTag(LanguageTag.Options(lr=1e-3, language="norwegian", row=2100)),
    )
    claims, parameters = claim_and_apply(model, strategies)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in parameters.values():
            parameter += 0.02 * torch.randn(parameter.shape, generator=generator)
    model.network.requires_grad_(False)
    by_strategy = {
        claim.strategy: {name: parameters[name] for name in (*claim.trains, *(spec.name for spec in claim.adds))}
        for claim in claims
    }
    recipe = toy_recipe(Workspace.default().root, strategies=strategies)
    loaded = Loaded(model, recipe.model, Workspace.default(), "cpu", recipe=recipe)
    loaded.trainable = Trainable(claims, by_strategy)
    return model, loaded


def test_a_run_is_seen_by_the_names_of_its_base_with_its_trained_weights() -> None:
    """The gradient of an adapted weight is that of the weight with its adapter folded in; a tag is a lever of its
    own."""
    model, loaded = trained()
    items = spoken(model, TARGET)
    report = measured_report(loaded, [], items, [], LeverWish("r"), SilentProgress())
    assert loaded.recipe is not None and loaded.trainable is not None
    folded = tiny_model()
    weights = {name: one.detach().clone() for name, one in folded.originals.items()}
    for strategy in loaded.recipe.strategies:
        strategy.fold(weights)
    with torch.no_grad():
        for name, one in folded.originals.items():
            one.copy_(weights[name])
    batches = [folded.collate([item]) for item in items]
    plain = measure_levers(
        pieces_of(folded.specs), folded.originals, utterance_loss(folded, [], pytest.fail), batches, (), STEP
    )
    by_name = {lever.name: lever for lever in report.measured.levers}
    assert own_additions(loaded.trainable.claims) == (ParameterSpec("language_tag.norwegian", (64,), "language_tag"),)
    assert set(by_name) == {*PATTERNS, "language_tag"}
    assert by_name["language_tag"].parameters == 64
    assert not by_name["language_tag"].reached  # these prompts are auto
    assert report.measured.loss == pytest.approx(plain.loss, rel=1e-5)
    for lever in plain.levers:
        assert by_name[lever.name].gradient_norm == pytest.approx(lever.gradient_norm, rel=1e-3), lever.name


def test_a_loss_that_compares_with_the_base_is_measured_against_the_base_that_was() -> None:
    """Of a run: KL divergence from the model before training, which a step does not move."""
    model, loaded = trained()
    base = tiny_model()
    items = spoken(model, TARGET)
    loss = BaseKl(BaseKlOptions(weight=0.5))
    plain, report = (
        measured_report(loaded, losses, items, [], LeverWish("r"), SilentProgress()).measured for losses in ([], [loss])
    )
    apart = []
    for item in items:
        with torch.no_grad():
            now, then = (F.log_softmax(one.forward(one.collate([item])).logits_NV, dim=1) for one in (model, base))
        apart.append(float((then.exp() * (then - now)).sum(dim=1).mean()))
    assert report.loss == pytest.approx(plain.loss + 0.5 * sum(apart) / len(apart), rel=1e-5)
    slopes = {lever.name: (lever.weight_norm * lever.gradient_norm, lever.gain) for lever in report.levers}
    slope, gain = slopes["codec_head"]
    assert gain == pytest.approx(STEP * slope, rel=0.1)


def test_activation_drift_is_that_of_hidden_states_compared_by_hand() -> None:
    model, loaded = trained()
    base = tiny_model()
    items = spoken(model, TARGET)
    batches = [model.collate([item]) for item in items]
    assert loaded.recipe is not None
    strategies = loaded.recipe.strategies

    def without() -> ExitStack:
        stack = ExitStack()
        for strategy in strategies:
            stack.enter_context(strategy.off())
        return stack

    loss_of = utterance_loss(model, [SubTalker(SubTalkerOptions(weight=1.0))], pytest.fail)
    drift = {
        one.name: one
        for one in activation_drift(model.network, module_paths(model.specs), loss_of, without, batches, batches[:1])
    }

    def states(which: SpeechModel, item: PromptedExample) -> list[torch.Tensor]:
        """Layer outputs of the talker as transformers gives them; the last one is after the final norm."""
        from kathrine_qwen3_tts.batches import embed

        network: Any = which.network
        with torch.no_grad():
            rows = embed(network, which.collate([item]))
            return list(network.talker.model(inputs_embeds=rows, output_hidden_states=True).hidden_states)

    pairs = [(states(base, item), states(model, item)) for item in items]

    def ratio(index: int, which: Sequence[tuple[list[torch.Tensor], list[torch.Tensor]]]) -> float:
        moved = sum(float((after[index].double() - before[index].double()).square().sum()) for before, after in which)
        return math.sqrt(moved / sum(float(before[index].double().square().sum()) for before, _ in which))

    # hidden_states[n + 1] is what layer n gives, but the last one is what the final norm gives
    for name, index in (("talker 0", 1), ("talker 1", 2), ("talker", 3)):
        assert drift[name].target == pytest.approx(ratio(index, pairs), rel=1e-4), name
        assert drift[name].known == pytest.approx(ratio(index, pairs[:1]), rel=1e-4), name
        assert drift[name].rows == sum(model.rows(item) for item in items)
    assert {"talker 2", "codec_head", "text_projection", "sub_talker 1", "sub_talker_head 14"} <= set(drift)
    assert drift["text_projection"].target == 0  # nothing in front of it was trained
    assert "text_embedding" not in drift and "speaker_encoder" not in drift


# --------------------------------------------------------------------------- any family


def test_the_toy_family_has_levers_too_and_a_missing_loss_is_told(tmp_path: Any) -> None:
    recipe = toy_recipe(tmp_path / "run", losses=[SubTalker(SubTalkerOptions(weight=0.5))])
    corpus = prepared_toy_corpus({"toy": 12})
    for hidden in (True, False):
        family = ToyFamily(ToyOptions(hidden=hidden))
        model = family.load(Workspace(tmp_path))
        items = utterances(model, recipe, corpus, batches=1)
        told: list[str] = []
        loss_of = utterance_loss(model, recipe.losses, told.append)
        batches = [model.collate([item]) for item in items]
        measured = measure_levers(pieces_of(model.specs), model.originals, loss_of, batches, (), STEP)
        reached = {lever.name for lever in measured.levers if lever.reached}
        assert reached == {"text_embedding", "codec_embedding", "talker", "head", *(["sub_talker"] if hidden else [])}
        assert len(told) == (0 if hidden else 1) and all("loss.sub_talker can not be computed" in one for one in told)
    assert "talker" in module_paths(model.specs)


def test_utterances_are_whole_batches_of_all_entries_and_always_the_same(tmp_path: Any) -> None:
    recipe = toy_recipe(tmp_path / "run", entries=("one", "two"), train={"batch": {"examples": 3}, "epochs": 1.0})
    corpus = prepared_toy_corpus({"one": 9, "two": 9})
    model = ToyFamily().load(Workspace(tmp_path))
    items = utterances(model, recipe, corpus, batches=4)
    assert len(items) == 12 and all(item.example.split == "train" for item in items)
    assert [item.example.key for item in utterances(model, recipe, corpus, 4)] == [item.example.key for item in items]
    facts = spoken_facts("toy", items)
    assert (facts.utterances, facts.tags) == (12, {"auto": 12}) and set(facts.entries) == {"one", "two"}
    assert facts.frames == sum(item.example.frames for item in items)
    assert len(utterances(model, recipe, corpus, batches=99)) == 18
    held_out = prepared_toy_corpus({"one": 0, "two": 0})
    with pytest.raises(KathrineError, match="no training utterances"):
        utterances(model, recipe, held_out, batches=1)
