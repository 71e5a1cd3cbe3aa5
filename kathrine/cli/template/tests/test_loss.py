"""The loss keeps the contract of its kind, and measures what it says."""

import math

import kathrine
import torch
from kathrine.testing import ToyFamily, check_loss

from kathrine_newname.loss import NewNameLoss, smoothing


def test_it_keeps_the_contract_of_a_loss() -> None:
    loss = NewNameLoss(NewNameLoss.Options(weight=0.05))
    check_loss(loss, ToyFamily(), kathrine.Workspace.default())


def test_it_is_lowest_where_all_codes_are_alike() -> None:
    even, certain = torch.zeros(1, 8), torch.tensor([[9.0] + [0.0] * 7])
    assert math.isclose(float(smoothing(even)), math.log(8), rel_tol=1e-6)
    assert float(smoothing(certain)) > float(smoothing(even))
