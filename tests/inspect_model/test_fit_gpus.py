"""A GPU by its size or by its name, as `kathrine check --fit` takes it."""

from __future__ import annotations

import pytest

from kathrine import KathrineError
from kathrine.inspect.fit_table import GPUS, find_gpu


@pytest.mark.parametrize("told", ["24GB", "24 GB", "24gib", "24", "24.0 GiB"])
def test_a_size(told):
    gpu = find_gpu(told)
    assert gpu.bytes == 24 * 2**30 and gpu.bf16 is None and gpu.fp32 is None


@pytest.mark.parametrize(("told", "name"), [("RTX 4090", "RTX 4090"), ("4090", "RTX 4090"), ("rtx4090", "RTX 4090"),
                                            ("NVIDIA GeForce RTX 3090", "RTX 3090"), ("a100-80gb", "A100 80GB"),
                                            ("T4", "T4"), ("l4", "L4"), ("H100", "H100")])  # fmt: skip
def test_a_name(told, name):
    assert find_gpu(told).name == name


def test_names_that_are_unknown_or_mean_two(tmp_path):
    with pytest.raises(KathrineError, match=r"may be one of A100 40GB, A100 80GB"):
        find_gpu("A100")
    with pytest.raises(KathrineError, match=r"no GPU named 'RTX 4099'.*did you mean"):
        find_gpu("RTX 4099")
    with pytest.raises(KathrineError, match=r"no GPU named ''"):
        find_gpu("")
    assert all(find_gpu(gpu.name) is gpu for gpu in GPUS)
