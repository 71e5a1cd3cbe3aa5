"""The contract of a model family: what it says without weights, its codec, and its loaded model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from kathrine.components import Codec, ModelFamily, SpeechModel
from kathrine.progress import SilentProgress
from kathrine.testing.family_models import check_batches, check_forward, check_generate
from kathrine.testing.problems import Contract, fresh, listed
from kathrine.testing.tiny import made_up_items, made_up_text, made_up_wave
from kathrine.types import Fingerprints, ModelFacts, ParameterSpec
from kathrine.workspace import Workspace

HEAVY = ("torch", "transformers", "datasets", "pyarrow", "soundfile")


def check_model_family(family: ModelFamily, workspace: Workspace) -> SpeechModel:
    """A model family keeps its contract.

    Facts and parameters need no torch and are those of the loaded model; its codec, tokenizer and speaker encoder give
    what they should, whatever else is in a batch; outputs are aligned with their targets and do not know them; an item
    has the same losses alone and beside others; synthesis keeps to its budget; the self-test passes.

    Given: the family set to a small checkpoint, such as `tiny_family(NAME)`. Returns: the loaded model. Raises:
    ConformanceError that says what is wrong.
    """
    contract = Contract(family)
    contract.holds(family.tiny, "it embeds no tiny checkpoint, so nobody can try it", ModelFamily)
    family.fetch(workspace, SilentProgress(), offline=True)
    family.fetch(workspace, SilentProgress(), offline=True)
    contract.holds(family.at_hand(workspace), "after fetch it is not at hand", ModelFamily.at_hand)
    facts, specs = family.facts(workspace), family.parameters(workspace)
    if facts is None or specs is None:
        contract.broken("it has no facts or no parameters after fetch", ModelFamily.facts)
    _check_light(contract, family, workspace)
    _check_facts(contract, facts, specs)
    prints = family.fingerprints(workspace)
    contract.holds(prints == fresh(family).fingerprints(workspace), "its fingerprints change", Fingerprints)
    contract.holds(prints.codec and prints.text, "a fingerprint is empty", Fingerprints)
    _check_codec(contract, family.open_codec(workspace), facts)
    _check_text(contract, family, workspace)
    _check_speaker(contract, family, workspace, facts, prints)
    model = family.load(workspace)
    _check_loaded(contract, family, workspace, model, facts, specs)
    items = made_up_items(family, workspace)
    check_batches(contract, model, items)
    check_forward(contract, model, items)
    check_generate(contract, model, items)
    failed = [check for check in model.self_test() if not check.passed]
    told = "; ".join(f"{one.name}: {one.measured:.4g}, limit {one.limit:.4g}" for one in failed)
    contract.holds(not failed, f"its self-test fails: {told}", SpeechModel.self_test)
    return model


def _check_light(contract: Contract, family: ModelFamily, workspace: Workspace) -> None:
    """In a process of its own, facts and parameters load nothing heavy."""
    kind = type(family)
    if "<locals>" in kind.__qualname__ or kind.__module__ == "__main__":
        return  # a class that no other process can import
    program = (
        "import importlib, json, sys; from pathlib import Path; from kathrine import Workspace\n"
        f"kind = getattr(importlib.import_module({kind.__module__!r}), {kind.__qualname__!r})\n"
        f"family = kind(kind.Options.model_validate_json({family.options.model_dump_json()!r}))\n"
        f"place = Workspace(Path({str(workspace.root)!r}))\n"
        "known = family.facts(place) is not None and family.parameters(place) is not None\n"
        f"print(json.dumps([known, [name for name in {HEAVY!r} if name in sys.modules]]))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=False)
    contract.holds(done.returncode == 0, f"facts fail in a fresh process: {done.stderr[-500:]}", ModelFamily.facts)
    known, heavy = json.loads(done.stdout.splitlines()[-1])
    contract.holds(known, "in a fresh process it has no facts", ModelFamily.facts)
    contract.holds(not heavy, f"facts and parameters load {listed(heavy)}", ModelFamily.facts)


def _check_facts(contract: Contract, facts: ModelFacts, specs: tuple[ParameterSpec, ...]) -> None:
    names = [spec.name for spec in specs]
    contract.holds(len(set(names)) == len(names), "it tells of a parameter twice", ModelFamily.parameters)
    parts = {spec.part for spec in specs}
    odd = parts ^ set(facts.parts)
    contract.holds(not odd, f"parts of its facts and of its parameters differ: {listed(odd)}", ModelFacts)
    sizes = (facts.sample_rate, facts.samples_per_frame, facts.codebooks, facts.codebook_size)
    contract.holds(min(sizes) > 0, f"a size is not positive: {sizes}", ModelFacts)


def _check_codec(contract: Contract, codec: Codec, facts: ModelFacts) -> None:
    import numpy as np

    waves = [made_up_wave(f"wave {seconds}", seconds, facts.sample_rate) for seconds in (1.0, 0.5)]
    codes = codec.encode(waves)
    contract.holds(len(codes) == len(waves), "encode gives another number of codes than waves", Codec.encode)
    for wave, codes_FQ in zip(waves, codes, strict=True):
        contract.holds(codes_FQ.dtype == np.int16, f"codes are {codes_FQ.dtype}", Codec.encode)
        frames = len(wave) / facts.samples_per_frame
        fits = codes_FQ.ndim == 2 and codes_FQ.shape[1] == facts.codebooks and abs(len(codes_FQ) - frames) <= 1
        contract.holds(fits, f"{frames:.2f} frames of sound have codes {list(codes_FQ.shape)}", Codec.encode)
        inside = codes_FQ.min() >= 0 and codes_FQ.max() < facts.codebook_size
        contract.holds(inside, f"codes are not all below {facts.codebook_size}", ModelFacts)
    for wave, codes_FQ in zip(waves, codes, strict=True):
        same = np.array_equal(codec.encode([wave])[0], codes_FQ)
        contract.holds(same, "codes depend on what else is in the list", Codec.encode)
    told: list[tuple[int, int]] = []
    sounds = codec.decode(codes, lambda done, total: told.append((done, total)))
    for codes_FQ, sound in zip(codes, sounds, strict=True):
        wanted = len(codes_FQ) * facts.samples_per_frame
        fits = sound.dtype == np.float32 and sound.shape == (wanted,)
        contract.holds(fits, f"{len(codes_FQ)} frames become a wave {list(sound.shape)}, not [{wanted}]", Codec.decode)
        contract.holds(np.isfinite(sound).all() and np.abs(sound).max() <= 1, "a wave leaves [-1, 1]", Codec)
        alone = codec.decode([codes_FQ])[0]
        same = np.allclose(alone, sound, atol=1e-5)
        contract.holds(same, "a decoded wave depends on what else is in the list", Codec.decode)
    contract.holds(all(0 < done <= total for done, total in told), f"its progress is {told}", Codec.decode)


def _check_text(contract: Contract, family: ModelFamily, workspace: Workspace) -> None:
    tokens, text = family.open_text(workspace), made_up_text("text")
    ids = tokens(text)
    whole = isinstance(ids, tuple) and ids and all(isinstance(one, int) and one >= 0 for one in ids)
    contract.holds(whole, f"{text!r} becomes {ids!r}, no tuple of ids", ModelFamily.open_text)
    contract.holds(ids == tokens(text), "the same text gets other ids", ModelFamily.open_text)
    contract.holds(ids != tokens(made_up_text("other")), "two texts get the same ids", ModelFamily.open_text)


def _check_speaker(
    contract: Contract, family: ModelFamily, workspace: Workspace, facts: ModelFacts, prints: Fingerprints
) -> None:
    import numpy as np

    encoder = family.open_speaker_encoder(workspace)
    contract.holds(
        (encoder is None) == (prints.speaker == ""), "its fingerprint of the speaker encoder is not right", Fingerprints
    )
    if encoder is None:
        return
    wave = made_up_wave("voice", 1.0, facts.sample_rate)
    vector_H, where = encoder(wave), ModelFamily.open_speaker_encoder
    fits = vector_H.dtype == np.float32 and vector_H.ndim == 1 and np.isfinite(vector_H).all()
    contract.holds(fits, f"a speaker embedding is {vector_H.dtype} {list(vector_H.shape)}", where)
    contract.holds(np.array_equal(vector_H, encoder(wave)), "the same voice gets another embedding", where)
    other = encoder(made_up_wave("another voice", 1.0, facts.sample_rate))
    contract.holds(not np.allclose(vector_H, other), "two voices get the same embedding", where)


def _check_loaded(
    contract: Contract,
    family: ModelFamily,
    workspace: Workspace,
    model: SpeechModel,
    facts: ModelFacts,
    specs: tuple[ParameterSpec, ...],
) -> None:
    import torch

    told = {spec.name: spec.shape for spec in specs}
    real = {name: tuple(one.shape) for name, one in model.network.named_parameters()}
    missing, extra = real.keys() - told.keys(), told.keys() - real.keys()
    where: Any = ModelFamily.parameters
    contract.holds(not missing, f"parameters does not tell of {listed(missing)}", where)
    contract.holds(not extra, f"parameters tells of {listed(extra)}, which the model has not", where)
    shapes = [f"{name} {told[name]}, really {real[name]}" for name in told if told[name] != real[name]]
    contract.holds(not shapes, f"parameters tells of other shapes: {listed(shapes)}", where)
    contract.holds(model.specs == specs, "the model's specs are not those of its family", SpeechModel)
    contract.holds(model.facts == facts, "the model's facts are not those of its family", SpeechModel)
    contract.holds(set(model.originals) == set(told), "originals are not all parameters by their names", SpeechModel)
    named = dict(model.network.named_parameters())
    same = all(model.originals[name] is named[name] for name in told)
    contract.holds(same, "an original is not the network's own parameter", SpeechModel)
    contract.holds(not model.network.training, "it is not in eval mode", ModelFamily.load)
    for dtype, wanted in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        loaded = model if dtype == "fp32" else family.load(workspace, dtype=dtype)
        odd = [name for name, one in loaded.originals.items() if one.dtype != wanted]
        contract.holds(not odd, f'loaded as "{dtype}" it has others: {listed(odd)}', ModelFamily.load)
    for language, row in facts.languages.items():
        found = model.language_id(language)
        contract.holds(found == row, f"{language} has row {found}, its facts say {row}", SpeechModel.language_id)
