"""What the estimates of `kathrine check --fit` rest on: measured coefficients, and the table of GPUs. No torch.

docs/fit.md says how each number was measured. All are bytes, unless they say otherwise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kathrine.errors import KathrineError
from kathrine.suggest import did_you_mean

VERIFIED_ON_GPU = False
"""Whether the estimate was compared with `torch.cuda.max_memory_allocated`. Until it was, everything that is printed
for a GPU says so."""
NOT_VERIFIED = "not verified on a GPU"

FLOAT32, BFLOAT16 = 4, 2
MOMENTS = 8
"""AdamW's two, float32, for each trained parameter."""

NORM_BACKWARD = 20
"""For each cell that a normalisation sees, at the height of its backward pass: the gradient and four intermediate
results, all float32, whatever the precision."""
GATED = 3
"""Cells of a gated MLP that are kept for each inner one: the gate, the gate after its activation, and the other half.
Its backward pass makes as many."""
HEAD_KEPT = 4
"""For each logit: the log-softmax, float32, from the end of the head to its backward pass."""
HEAD_BACKWARD = 8
"""For each logit, on top of that: the gradients of both halves of the cross entropy, float32."""
BASE_KEPT, BASE_FORWARD = 8, 20
"""For each logit where a loss compares with the model before training (`base_kl`): a log-softmax and the base's
probabilities until the backward pass, float32; and while the loss is computed five such tensors."""
STATISTIC = 4
"""Of each normalised row, and of each row and head of attention: one float32 number."""

CPU_MASK, GPU_MASK = 4, 1
"""A cell of dropout's mask: a float32 number on the CPU, a byte on CUDA."""
CPU_STEP = 2
"""Copies of a trained tensor that AdamW makes on the CPU while one of the tensor before is still there; on CUDA it is
fused and makes none."""
GPU_WORKSPACE = 32 * 2**20
"""Of cuBLAS (32 MiB on Hopper, 8 on others), in the caching allocator."""

USABLE = 0.9
"""Share of a GPU's nominal memory that a run may take: error correction keeps up to 6 % (a 24 GB L4 or A10 has
22.5 GiB), the CUDA context about half a GiB."""
MARGIN = 0.15
"""The estimate's error, at most; nearer to the limit than this is called close."""

UTILISATION = 0.2
"""Share of a GPU's dense rate that a step is taken to reach. An assumption, and a careful one: batches of speech are
small, so that much time goes by between kernels. On the CPU `make bench` measures 69 % of the rate of a large matrix
product with full fine-tuning."""

TOKENS_PER_SECOND = 5.0
"""Text tokens of a second of speech, at most: Norwegian is cut into 3 to 5."""
PROMPT_ROWS = 12
"""Rows of a prompt beside text and frames: role, language tag, voice, begin."""
SECONDS_PER_UTTERANCE = 6.0
"""Mean length, where the corpus is not prepared yet."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """bytes: nominal memory. bf16, fp32: dense operations a second, matrix products with float32 sums; bf16 None where
    the GPU does not compute it; both None for a size alone."""

    name: str
    bytes: int
    bf16: float | None
    fp32: float | None


def _gpu(name: str, gib: int, bf16: float | None, fp32: float) -> Gpu:
    return Gpu(name, gib * 2**30, None if bf16 is None else bf16 * 1e12, fp32 * 1e12)


GPUS = (
    _gpu("T4", 16, None, 8.1),
    _gpu("RTX 3060", 12, 25.5, 12.7),
    _gpu("RTX 3090", 24, 71.0, 35.6),
    _gpu("RTX 4060 Ti 16GB", 16, 44.1, 22.1),
    _gpu("RTX 4080", 16, 97.5, 48.7),
    _gpu("RTX 4090", 24, 165.2, 82.6),
    _gpu("RTX 5090", 32, 209.5, 104.8),
    _gpu("A10", 24, 125.0, 31.2),
    _gpu("L4", 24, 121.0, 30.3),
    _gpu("L40S", 48, 362.0, 91.6),
    _gpu("A100 40GB", 40, 312.0, 19.5),
    _gpu("A100 80GB", 80, 312.0, 19.5),
    _gpu("H100", 80, 989.0, 67.0),
)
"""NVIDIA's data sheets (T4, A10, L4, L40S, A100, H100 SXM) and architecture papers (GA102, AD102, AD103, AD106, GB202:
tensor rate with float32 sums). Rates without sparsity, TFLOP/s."""


LARGEST_PLAIN = 1000


def find_gpu(wanted: str) -> Gpu:
    """A GPU by its name, or a size such as `24GB`, `24 GiB` or `24`.

    Makers count a GPU's memory in GiB and write GB, and so does this. Raises: KathrineError for an unknown or ambiguous
    name; it lists those that are known.
    """
    size = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(gi?b?)?", wanted.strip().lower())
    # without a unit, 24 is a size and 4090 a name
    if size and float(size[1]) > 0 and (size[2] or float(size[1]) < LARGEST_PLAIN):
        return Gpu(f"{float(size[1]):g} GB", round(float(size[1]) * 2**30), None, None)
    key = _plain(wanted)
    exact = [gpu for gpu in GPUS if _plain(gpu.name) == key]
    found = exact or [gpu for gpu in GPUS if key and key in _plain(gpu.name)]
    if len(found) == 1:
        return found[0]
    names = [gpu.name for gpu in GPUS]
    if found:
        told = ", ".join(gpu.name for gpu in found)
        raise KathrineError(f"--fit: {wanted!r} may be one of {told}", "give the whole name")
    raise KathrineError(
        f"--fit: no GPU named {wanted!r} is known{did_you_mean(wanted, names)}",
        f"give its memory, such as 24GB, or one of {', '.join(names)}",
    )


def _plain(name: str) -> str:
    return re.sub(r"nvidia|geforce|[^a-z0-9]", "", name.lower())
