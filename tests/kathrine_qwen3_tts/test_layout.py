"""The row table, row by row; batches; language and speaker names; the language tag's own vector."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from golden_model import fresh_network, gold, largest
from hypothesis import given, settings
from hypothesis import strategies as st

from kathrine.errors import KathrineError
from kathrine_qwen3_tts import batches, generation, layout, objective
from kathrine_qwen3_tts.layout import NONE, ControlIds, Prompt
from kathrine_qwen3_tts.network import load_network

CONTROL = ControlIds(
    text_pad=900,
    text_begin=901,
    text_end=902,
    codec_pad=50,
    codec_begin=51,
    codec_end=52,
    think=60,
    nothink=61,
    think_begin=62,
    think_end=63,
)
ROLE = [1, 2, 3]
VOICE = np.ones(4, np.float32)


def table(rows: layout.Rows) -> list[tuple]:
    """(text, codec) with the codec part as an id, "voice", ("frame", n) or None."""
    out = []
    for text, codec, frame, speaker in zip(rows.text_T, rows.codec_T, rows.frame_T, rows.speaker_T, strict=True):
        part = None if codec == NONE else int(codec)
        part = ("frame", int(frame)) if frame != NONE else part
        part = "voice" if speaker else part
        out.append((None if text == NONE else int(text), part))
    return out


def frames(count: int, codebooks: int = 3) -> np.ndarray:
    return np.arange(count * codebooks, dtype=np.int16).reshape(count, codebooks)


HEAD = [(1, None), (2, None), (3, None)]
AUTO = [(900, 61), (900, 62), (900, 63)]


def test_streamed_auto_with_a_voice():
    prompt = Prompt(ROLE, [10, 11], speaker_embedding=VOICE)
    rows = layout.training_rows(prompt, frames(4), CONTROL)
    assert table(rows) == [
        *HEAD,
        *AUTO,
        (900, "voice"),
        (901, 50),
        (10, 51),
        (11, ("frame", 0)),
        (902, ("frame", 1)),
        (900, ("frame", 2)),
        (900, ("frame", 3)),
    ]
    assert rows.first == 8
    assert rows.target_row_N.tolist() == [8, 9, 10, 11, 12]
    assert rows.target_N.tolist() == [0, 3, 6, 9, 52]
    assert rows.frame_row_M.tolist() == [8, 9, 10, 11]
    assert rows.target_frame_M.tolist() == [0, 1, 2, 3]


def test_whole_text_with_a_language_and_a_named_speaker():
    prompt = Prompt(ROLE, [10, 11], language_id=70, speaker_id=80, streamed=False)
    rows = layout.training_rows(prompt, frames(2), CONTROL)
    assert table(rows) == [
        *HEAD,
        *[(900, 60), (900, 62), (900, 70), (900, 63)],
        (900, 80),
        (901, 50),
        *[(10, 50), (11, 50), (902, 50)],
        (900, 51),
        (900, ("frame", 0)),
        (900, ("frame", 1)),
    ]
    assert rows.first == 12


def test_in_context_reference_comes_first_and_has_no_target():
    prompt = Prompt(ROLE, [10, 11, 12], reference_codes=frames(2) + 20)
    rows = layout.training_rows(prompt, frames(1), CONTROL)
    assert table(rows) == [
        *HEAD,
        *AUTO,
        (901, 50),
        (10, 51),
        (11, ("frame", 0)),
        (12, ("frame", 1)),
        (902, ("frame", 2)),
    ]
    assert rows.codes_FQ.tolist() == [[20, 21, 22], [23, 24, 25], [0, 1, 2]]
    assert rows.target_row_N.tolist() == [9, 10]
    assert rows.target_N.tolist() == [0, 52]
    assert rows.frame_row_M.tolist() == [9]
    assert rows.target_frame_M.tolist() == [2]
    prompt_only = layout.prompt_rows(prompt, CONTROL)
    assert table(prompt_only) == table(rows)[:-1]
    assert len(prompt_only.target_N) == 0


def test_instruction_stands_in_front_of_everything():
    rows = layout.prompt_rows(Prompt(ROLE, [10], instruct_ids=[5, 6]), CONTROL)
    assert table(rows)[:5] == [(5, None), (6, None), *HEAD]
    assert rows.first == 9


def test_an_utterance_that_was_cut_has_no_end_target():
    prompt = Prompt(ROLE, [10])
    whole, cut = (layout.training_rows(prompt, frames(3), CONTROL, end=end) for end in (True, False))
    assert whole.target_N.tolist() == [0, 3, 6, 52]
    assert cut.target_N.tolist() == [0, 3, 6]
    assert table(cut) == table(whole)
    assert cut.frame_row_M.tolist() == whole.frame_row_M.tolist()


@settings(deadline=None, max_examples=60)
@given(
    body=st.integers(1, 9),
    count=st.integers(0, 7),
    reference=st.integers(0, 5),
    instruct=st.integers(0, 3),
    language=st.sampled_from([None, 70]),
    voice=st.sampled_from(["embedding", "named", "none"]),
    streamed=st.booleans(),
)
def test_what_holds_for_every_prompt(body, count, reference, instruct, language, voice, streamed):
    prompt = Prompt(
        ROLE,
        list(range(10, 10 + body)),
        instruct_ids=[5] * instruct,
        language_id=language,
        speaker_embedding=VOICE if voice == "embedding" else None,
        speaker_id=80 if voice == "named" else None,
        streamed=streamed,
        reference_codes=frames(reference) if reference else None,
    )
    rows = layout.training_rows(prompt, frames(count), CONTROL)
    assert len(rows) == layout.row_count(prompt, count)
    assert layout.row_count(prompt) == len(layout.prompt_rows(prompt, CONTROL))
    assert rows.codec_T[rows.first] == CONTROL.codec_begin
    assert rows.target_row_N[-1] == len(rows) - 1, "the last row decides the end; nothing comes after it"
    # each deciding row is the row before the frame's own
    assert rows.frame_T[rows.frame_row_M + 1].tolist() == rows.target_frame_M.tolist()
    said = [*prompt.body_ids, CONTROL.text_end]
    heard = [text for text in rows.text_T[3 + instruct :].tolist() if text not in (900, 901)]
    assert heard == (said[: reference + count + 1] if streamed else said)
    for k in range(reference + count + 1):
        assert rows.text_T[rows.first + k] == layout.frame_text(prompt, CONTROL, k)


def test_impossible_prompts_are_refused():
    with pytest.raises(KathrineError, match="both a speaker embedding and a named speaker"):
        Prompt(ROLE, [1], speaker_embedding=VOICE, speaker_id=3)
    with pytest.raises(KathrineError, match="no text"):
        Prompt(ROLE, [])


def test_collate_pads_on_the_right_and_counts():
    short = layout.training_rows(Prompt(ROLE, [10], speaker_embedding=VOICE), frames(1), CONTROL)
    long = layout.training_rows(Prompt(ROLE, [10], reference_codes=frames(3)), frames(4), CONTROL, end=False)
    batch = batches.collate([short, long])
    length = len(long)
    assert batch.text_slot_BT.shape == batch.codec_slot_BT.shape == (2, length)
    assert (batch.rows, batch.padded_rows) == (len(short) + length, 2 * length)
    assert (batch.targets, batch.target_frames) == (2 + 4, 1 + 4)
    assert batch.item_N.tolist() == [0, 0, 1, 1, 1, 1]
    assert batch.item_M.tolist() == [0, 1, 1, 1, 1]
    assert (batch.text_slot_BT[0, len(short) :] == len(batch.text_ids_U)).all()
    absent = len(batch.codec_ids_C) + len(batch.codes_GQ) + len(batch.speaker_SH)
    assert (batch.codec_slot_BT[0, len(short) :] == absent).all()
    assert batch.codes_GQ[batch.target_frame_M].tolist() == [*frames(1).tolist(), *frames(4).tolist()]
    assert batch.target_row_N[2:].tolist() == (long.target_row_N + length).tolist()
    moved = batch.to("cpu")
    assert (moved.rows, moved.targets) == (batch.rows, batch.targets)
    left = batches.collate([short, long], left=True)
    pads = length - len(short)
    assert torch.equal(left.text_slot_BT[0, pads:], batch.text_slot_BT[0, : len(short)])
    assert (left.text_slot_BT[0, :pads] == len(left.text_ids_U)).all()


CONFIG = {
    "talker_config": {
        "codec_language_id": {"chinese": 5, "English": 6, "sichuan_dialect": 7},
        "spk_id": {"wei": 11, "kari": 12},
        "spk_is_dialect": {"wei": "sichuan_dialect", "kari": False},
    }
}


@pytest.mark.parametrize(
    ("language", "speaker", "expected"),
    [
        (None, None, None),
        ("", None, None),
        ("Auto", None, None),
        ("auto", "kari", None),
        ("CHINESE", None, 5),
        ("english", "wei", 6),
        ("english", None, 6),
        ("Auto", "Wei", 7),
        ("Chinese", "wei", 7),
        ("Chinese", "kari", 5),
    ],
)
def test_language_names_and_the_dialect_rule(language, speaker, expected):
    assert layout.language_id(CONFIG, language, speaker) == expected


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(KathrineError, match="chinese, english, sichuan_dialect"):
        layout.language_id(CONFIG, "norwegian")
    assert layout.speaker_id(CONFIG, "KARI") == 12
    with pytest.raises(KathrineError, match="kari, wei"):
        layout.speaker_id(CONFIG, "ola")


def tagged_prompt(language: int) -> Prompt:
    return Prompt([597, 267, 198], [394, 11, 386], language_id=language)


def test_a_language_tag_vector_replaces_its_row_everywhere():
    network = fresh_network("tiny-0b6")
    keys = set(network.state_dict())
    control = gold("tiny-0b6").control
    before = generation.generate_traced(network, [tagged_prompt(2101)], generation.GREEDY, 3)[0]
    batch = batches.collate([layout.training_rows(tagged_prompt(2101), before.codes_TQ, control)])
    plain = batches.embed(network, batch)
    row = 3 + 2  # role, then think, think_begin
    vector = torch.nn.Parameter(torch.full((network.hidden_size,), 0.5))
    network.language_tag_vectors["2101"] = vector
    assert set(network.state_dict()) - keys == {"language_tag_vectors.2101"}
    tagged = batches.embed(network, batch)
    changed = (tagged != plain).any(-1)[0].nonzero().flatten().tolist()
    assert changed == [row]
    stock_row = network.talker.model.codec_embedding.weight[2101]
    assert largest(tagged[0, row] - plain[0, row], vector - stock_row) < 1e-5
    after = generation.generate_traced(network, [tagged_prompt(2101)], generation.GREEDY, 3)[0]
    assert not torch.equal(before.logits_DC[0], after.logits_DC[0]), "generation sees the vector too"
    objective.talker_loss_sums(objective.aligned_outputs(network, batch))[0].backward()
    assert vector.grad.abs().sum() > 0
    assert network.talker.model.codec_embedding.weight.grad[2101].abs().sum() == 0


def test_a_stock_network_has_the_official_keys_only():
    from golden_model import CHECKPOINTS, GOLD
    from safetensors import safe_open

    for name in CHECKPOINTS:
        with safe_open(GOLD / name / "model.safetensors", "pt") as file:
            assert set(fresh_network(name).state_dict()) == set(file.keys())


def test_weights_that_do_not_fit_are_refused():
    data = gold("tiny-0b6")
    tensors = {key: value for key, value in data.network.state_dict().items() if "codec_head" not in key}
    with pytest.raises(KathrineError, match="codec_head"):
        load_network(data.config, tensors)


def test_embedding_gradients_are_the_same_bits_for_any_thread_count():
    data = gold("tiny-1b7")
    generator = np.random.default_rng(5)
    prompts = [Prompt([597, 267, 198], generator.integers(0, 500, 40).tolist()) for _ in range(4)]
    rows = [layout.training_rows(p, generator.integers(0, 9, (90, 16)), data.control) for p in prompts]
    batch = batches.collate(rows)
    threads, gradients = torch.get_num_threads(), []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            network = fresh_network("tiny-1b7")
            batches.embed(network, batch).square().sum().backward()
            gradients.append(network.talker.model.codec_embedding.weight.grad)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(*gradients)
