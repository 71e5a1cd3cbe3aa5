"""Recognisers: Whisper and CTC models of random weights, from a folder and from a Hub on the loopback interface."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from corpus_fakes import FakeFamily, Shouting, prepared, recipe, speech, utterances
from servers.hub import Hub, run_client

from kathrine.corpus.recognise import Recogniser, fetch_recogniser, kind_of
from kathrine.errors import KathrineError, RecipeError
from kathrine.progress import SilentProgress
from kathrine.recipe import load_recipe
from kathrine.workspace import Workspace

CODE = """
import json, sys
from pathlib import Path
from kathrine.corpus.recognise import fetch_recogniser
from kathrine.errors import KathrineError
from kathrine.progress import SilentProgress
from kathrine.workspace import Workspace
name, revision, workspace, offline = sys.argv[1:]
try:
    folder, mark = fetch_recogniser(name, revision, Workspace(Path(workspace)), SilentProgress(), bool(offline), 15.0)
    print(json.dumps([mark, sorted(path.name for path in folder.iterdir())]))
except KathrineError as error:
    print(json.dumps([error.message, error.hint]))
"""


def save_tokenizer(folder: Path) -> int:
    """A byte-level tokenizer with Whisper's special tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    special = ["<|endoftext|>", "<|startoftranscript|>", "<|no|>", "<|transcribe|>", "<|notimestamps|>"]
    tokenizer = Tokenizer(models.BPE(vocab={token: n for n, token in enumerate([*letters, *special])}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(special)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=special[0], bos_token=special[0], pad_token=special[0]
    )
    fast.save_pretrained(folder)
    return len(letters)


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Whisper of two small random layers."""
    import torch
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

    folder = tmp_path_factory.mktemp("whisper")
    first = save_tokenizer(folder)
    torch.manual_seed(0)
    config = WhisperConfig(
        vocab_size=first + 5,
        num_mel_bins=80,
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_target_positions=64,
        pad_token_id=first,
        bos_token_id=first,
        eos_token_id=first,
        decoder_start_token_id=first + 1,
        init_std=0.6,
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    model = WhisperForConditionalGeneration(config)
    made = model.generation_config
    made.suppress_tokens = made.begin_suppress_tokens = None
    made.is_multilingual, made.no_timestamps_token_id = True, first + 4
    made.lang_to_id, made.task_to_id = {"<|no|>": first + 2}, {"transcribe": first + 3}
    model.save_pretrained(folder, safe_serialization=True)
    WhisperFeatureExtractor(feature_size=80).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def ctc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wav2vec2 of small random layers with a head over letters."""
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC

    folder = tmp_path_factory.mktemp("ctc")
    letters = ["<pad>", "<s>", "</s>", "<unk>", "|", *"abcdefghijklmnopqrstuvwxyzæøå"]
    (folder / "vocab.json").write_text(json.dumps({letter: n for n, letter in enumerate(letters)}), encoding="utf-8")
    Wav2Vec2CTCTokenizer(str(folder / "vocab.json")).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(return_attention_mask=False).save_pretrained(folder)
    torch.manual_seed(0)
    config = Wav2Vec2Config(
        vocab_size=len(letters),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(16, 16, 16, 16, 16, 16, 16),
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        pad_token_id=0,
    )
    Wav2Vec2ForCTC(config).save_pretrained(folder, safe_serialization=True)
    return folder


@pytest.mark.parametrize("kind", ["whisper", "ctc"])
def test_a_recogniser_says_the_same_whoever_is_in_its_batch(kind: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(kind)
    assert kind_of(folder, "it") == kind
    heard = Recogniser(folder, "no" if kind == "whisper" else "", "cpu")
    waves = [speech(seconds, seed, 16000) for seed, seconds in enumerate((0.8, 1.7, 1.1))]
    together = heard.transcribe(waves)
    assert together == [heard.transcribe([wave])[0] for wave in waves]
    assert all(isinstance(text, str) for text in together) and any(together)
    assert not any("<|" in text for text in together)


def test_what_is_no_recogniser_is_refused(tmp_path: Path, whisper: Path) -> None:
    with pytest.raises(KathrineError, match="no readable config"):
        kind_of(tmp_path, "it")
    (tmp_path / "config.json").write_text('{"architectures": ["WhisperForConditionalGeneration"]}')
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickled")
    with pytest.raises(KathrineError, match="no safetensors; pickled weights are never loaded"):
        kind_of(tmp_path, "it")
    (tmp_path / "model.safetensors").write_bytes(b"")
    assert kind_of(tmp_path, "it") == "whisper"
    (tmp_path / "config.json").write_text('{"architectures": ["BertModel"]}')
    with pytest.raises(KathrineError, match="is a BertModel"):
        kind_of(tmp_path, "it")
    with pytest.raises(KathrineError, match="hears 30 s at most"):
        fetch_recogniser(str(whisper), "main", Workspace(tmp_path), SilentProgress(), True, 40.0)
    with pytest.raises(KathrineError, match="not in the workspace and can not be fetched"):
        fetch_recogniser("nobody/nothing", "main", Workspace(tmp_path), SilentProgress(), True, 15.0)


def test_a_folder_without_a_model_is_said_at_check(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"prepare\.asr_model: asr_model .* has no readable config\.json"):
        load_recipe("kathrine:base", "smoke", [f"prepare.asr_model={tmp_path}"])
    load_recipe("kathrine:base", "smoke", ["prepare.asr_model=NbAiLab/nb-whisper-small", "prepare.asr_language=no"])


def test_another_model_has_another_mark(tmp_path: Path, whisper: Path) -> None:
    def mark(folder: Path) -> str:
        return fetch_recogniser(str(folder), "main", Workspace(tmp_path), SilentProgress(), True, 15.0)[1]

    assert mark(whisper) == mark(whisper)
    import shutil

    copy = Path(shutil.copytree(whisper, tmp_path / "copy"))
    before = mark(copy)
    (copy / "model.safetensors").write_bytes((copy / "model.safetensors").read_bytes() + b" ")
    assert mark(copy) != before


def test_a_model_of_the_hub_is_fetched_once_without_its_pickles(tmp_path: Path, whisper: Path) -> None:
    folder = Path(shutil.copytree(whisper, tmp_path / "model"))
    (folder / "pytorch_model.bin").write_bytes(b"pickled")
    with Hub() as hub:
        sha = hub.add("some/whisper", folder, kind="models").sha

        def ask(name: str, revision: str = "main", offline: str = "") -> list[Any]:
            home = tmp_path / "home"
            done = run_client(CODE, hub.environment(home), name, revision, str(home / "workspace"), offline)
            assert done.returncode == 0, done.stderr
            return json.loads(done.stdout.splitlines()[-1])

        mark, names = ask("some/whisper")
        assert mark == f"some/whisper@{sha}" and "model.safetensors" in names and "pytorch_model.bin" not in names
        assert ask("some/whisper", offline="yes") == [mark, names]
        message, hint = ask("some/whisper", revision="no-such-branch")
        assert "asr_model some/whisper could not be fetched" in message and "name a Whisper or CTC model" in hint
        assert "asr_model some/nothing could not be fetched" in ask("some/nothing")[0]


def test_the_revision_is_an_option() -> None:
    made = load_recipe("kathrine:base", "smoke", ["prepare.asr_model=a/b", "prepare.asr_revision=v2"])
    assert (made.prepare.asr_model, made.prepare.asr_revision) == ("a/b", "v2")


def test_transcripts_are_made_once_and_compared_with_the_text(
    tmp_path: Path, whisper: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[int] = []
    transcribe = Recogniser.transcribe

    def counting(self: Recogniser, waves: Any) -> list[str]:
        heard.append(len(waves))
        return transcribe(self, waves)

    monkeypatch.setattr(Recogniser, "transcribe", counting)
    listed = utterances(tmp_path / "audio", 6)
    table = {"asr_model": str(whisper), "max_cer": 1000.0, "asr_batch": 4}
    family, language = FakeFamily(), Shouting()
    first = prepared(tmp_path, recipe(listed, family=family, language=language, table=table))
    assert heard == [4, 2] and len(first.rows) == 6
    rows = [json.loads(line) for line in (first.folder / "manifest.jsonl").read_text().splitlines()]
    assert all(row["cer"] > 0.5 for row in rows), "random weights recognise nothing"

    # The same transcripts, another limit: nobody is asked again.
    with pytest.raises(KathrineError, match="ASR differs: 6"):
        prepared(tmp_path, recipe(listed, table=table | {"max_cer": 0.1}, language=Shouting()))
    assert heard == [4, 2]
