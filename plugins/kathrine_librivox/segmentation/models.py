"""Folders of models: a local one, or one of the Hub at a commit; safetensors and settings only.

Many older CTC models lie on the Hub as pickled weights, with safetensors in the request that the Hub's own conversion
robot opened; that request is used where the named revision has none, as transformers itself does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from kathrine.components import Progress
from kathrine.datafiles import HUB_ID
from kathrine.errors import KathrineError

PATTERNS = (
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer_config.json",
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
    "normalizer.json",
    "added_tokens.json",
    "special_tokens_map.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "model-*-of-*.safetensors",
)
"""What is fetched: neither the language models and training logs that lie beside it, nor anything that can be run."""
CONVERTER = "SFconvertbot"
TIMEOUT_SECONDS = 15


def model_folder(
    model: str, revision: str | None, cache: Path | None, offline: bool, progress: Progress | None = None
) -> tuple[Path, str]:
    """The folder of a model, and its commit.

    Given: a local folder (it wins) or a Hub id; revision, of the Hub, None for main; cache, the Hub client's folder,
    None for its own; offline, fetch nothing; progress, told of bytes fetched. Returns: for a local folder `local-` and
    a hash stand for the commit. Raises: KathrineError when there is no such model, no safetensors, or no way to get it.
    """
    path = Path(model).expanduser()
    if path.is_dir():
        if not weights_of(path):
            raise KathrineError(
                f"{model} holds no *.safetensors", "save the model with save_pretrained, as safetensors"
            )
        return path, f"local-{content_hash(path)}"
    if not HUB_ID.fullmatch(model):
        raise KathrineError(
            f"'{model}' is no folder and no model id of the Hub", "give a folder that exists, or an id owner/name"
        )
    from kathrine.hubfiles import client_is_offline

    if offline or client_is_offline():
        folder = cached(model, revision, cache)
        if folder is None:
            raise KathrineError(
                f"{model} is not in the workspace and nothing may be fetched",
                "run `kathrine prepare` once with a network, or name a local folder",
            )
        return folder, folder.name
    with model_errors(model, revision):
        folder = fetched_or_cached(model, revision, cache, progress)
    if not weights_of(folder):
        raise KathrineError(
            f"{model} has no safetensors at revision {revision or 'main'}, and pickled weights are not read",
            "name a revision that has them (often refs/pr/1), or another model",
        )
    return folder, folder.name


def fetched_or_cached(model: str, revision: str | None, cache: Path | None, progress: Progress | None) -> Path:
    """The snapshot of the Hub, or the one in the cache where the Hub does not answer. Raises: the client's errors."""
    from huggingface_hub import errors

    try:
        named = revision or safe_revision(model)
        with progress.task(f"fetching {model}") if progress else nullcontext() as advance:
            return download(model, named, cache, advance)
    except (errors.GatedRepoError, errors.RepositoryNotFoundError, errors.RevisionNotFoundError):
        raise
    except (errors.HfHubHTTPError, errors.HTTPError, OSError):
        folder = cached(model, revision, cache)
        if folder is None:
            raise
        return folder


def safe_revision(model: str) -> str:
    """`main` where it has safetensors, else the conversion robot's open request, else `main`."""
    from huggingface_hub import HfApi

    api = HfApi()
    files = [entry.rfilename for entry in api.model_info(model, timeout=TIMEOUT_SECONDS).siblings or []]
    if not any(name.endswith(".safetensors") for name in files):
        for request in api.get_repo_discussions(model, author=CONVERTER, discussion_type="pull_request"):
            if request.author == CONVERTER and request.status == "open":
                return f"refs/pr/{request.num}"
    return "main"


def download(model: str, revision: str, cache: Path | None, advance: Callable[[float], Any] | None) -> Path:
    """Fetch what is not here yet; a download that was broken off goes on."""
    from huggingface_hub import snapshot_download

    from kathrine.hubfiles import bar_for

    return Path(
        snapshot_download(
            model, revision=revision, cache_dir=cache, allow_patterns=list(PATTERNS), tqdm_class=bar_for(advance)
        )
    )


def cached(model: str, revision: str | None, cache: Path | None) -> Path | None:
    """A complete snapshot in the cache: of the revision, else of any that was fetched and has safetensors."""
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    home = Path(cache or constants.HF_HUB_CACHE) / f"models--{model.replace('/', '--')}" / "refs"
    names = [revision] if revision else ["main", *sorted(str(p.relative_to(home)) for p in home.glob("refs/pr/*"))]
    for name in names:
        try:
            folder = Path(
                snapshot_download(
                    model, revision=name, cache_dir=cache, allow_patterns=list(PATTERNS), local_files_only=True
                )
            )
        except LocalEntryNotFoundError:
            continue
        if weights_of(folder):
            return folder
    return None


def weights_of(folder: Path) -> list[Path]:
    """The files of weights, sorted."""
    return sorted(folder.glob("*.safetensors"))


def content_hash(folder: Path) -> str:
    """Changes when a local model does: its settings, and the size and first megabyte of its weights."""
    digest = hashlib.sha256()
    for path in [*sorted(folder.glob("*.json")), *weights_of(folder)]:
        digest.update(f"{path.name} {path.stat().st_size} ".encode())
        with path.open("rb") as file:
            digest.update(file.read(1 << 20))
    return digest.hexdigest()[:12]


@contextmanager
def model_errors(model: str, revision: str | None) -> Iterator[None]:
    """Turn the Hub client's errors into one sentence and a remedy."""
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError as problem:
        raise KathrineError(
            f"the Hub does not let this account read {model}",
            "accept its terms on its page, then log in with `hf auth login`",
        ) from problem
    except errors.RevisionNotFoundError as problem:
        raise KathrineError(f"{model} has no revision {revision!r}", "leave the revision out") from problem
    except errors.RepositoryNotFoundError as problem:
        raise KathrineError(
            f"there is no folder {model!r}, and the Hub knows no model by that name",
            "check the spelling; a private model needs `hf auth login` first",
        ) from problem
    except (errors.HfHubHTTPError, errors.OfflineModeIsEnabled, errors.HTTPError, OSError) as problem:
        reason = (str(problem).strip() or type(problem).__name__).splitlines()[0]
        raise KathrineError(
            f"{model} could not be fetched: {reason}", "try again (what is complete is kept), or name a local folder"
        ) from problem


def load_whole(kind: Any, folder: Path) -> Any:
    """`kind.from_pretrained` of a folder: safetensors only, no code of its own, and every weight there.

    transformers draws a bar and, where weights are missing, fills in random ones with a warning; neither happens here.
    Raises: ValueError that names missing weights; whatever transformers raises.
    """
    from transformers.utils import logging

    shown, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        network, facts = kind.from_pretrained(
            folder, use_safetensors=True, trust_remote_code=False, output_loading_info=True
        )
    finally:
        logging.set_verbosity(verbosity)
        if shown:
            logging.enable_progress_bar()
    # the embedding that hides parts of the wave in training; inference never reads it
    missing = sorted(key for key in facts["missing_keys"] if not key.endswith("masked_spec_embed"))
    if missing or facts["mismatched_keys"]:
        first = missing[0] if missing else str(sorted(facts["mismatched_keys"])[0])
        raise ValueError(f"{len(missing) + len(facts['mismatched_keys'])} weights are missing, such as {first}")
    return network


def pick_device(device: str) -> str:
    """`auto`: cuda where there is one. Raises: KathrineError for a device that is not here."""
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device not in ("cpu", "cuda") and not device.startswith("cuda:"):
        raise KathrineError(f"unknown device '{device}'", "it is auto, cpu or cuda")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise KathrineError("there is no CUDA device here", 'set device = "auto" or "cpu"')
    return device
