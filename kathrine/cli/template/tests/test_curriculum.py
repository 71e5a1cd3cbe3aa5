"""The curriculum keeps the contract of its kind, and plans what it says."""

from kathrine.testing import check_curriculum

from kathrine_newname.curriculum import NewNameCurriculum


def test_it_keeps_the_contract_of_a_curriculum() -> None:
    first, second = check_curriculum(NewNameCurriculum(), ["small", "large"])
    assert first.shares == {"small": 0.5, "large": 0.5}
    assert second.shares["large"] > second.shares["small"]
    assert second.lr_scale == {"*": 0.5}
