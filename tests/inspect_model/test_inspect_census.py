"""Counting parameters by part, and folding the module tree."""

from kathrine.inspect.census import BYTES_PER_TRAINED, count_parts, module_tree
from kathrine.types import Claim, ParameterSpec

SPECS = [
    ParameterSpec("body.layers.0.weight", (4, 3), "body", 0),
    ParameterSpec("body.layers.1.weight", (4, 3), "body", 1),
    ParameterSpec("body.layers.2.weight", (4, 5), "body", 2),
    ParameterSpec("head.weight", (7, 4), "head"),
]


def test_counts_and_shares_by_part() -> None:
    census = count_parts(SPECS)
    assert (census.tensors, census.parameters) == (4, 12 + 12 + 20 + 28)
    assert [(part.part, part.tensors, part.parameters) for part in census.parts] == [
        ("body", 3, 44),
        ("head", 1, 28),
    ]
    assert sum(part.share for part in census.parts) == 1.0
    assert census.trained == 0


def test_claims_mark_what_trains_and_what_the_optimizer_needs() -> None:
    in_place = Claim("freeze", ("head.weight",), (), (), lr=1e-4, weight_decay=0.0)
    adapter = ParameterSpec("body.layers.0.lora_A.lora.weight", (2, 3), "body", 0)
    adapted = Claim("lora", (), ("body.layers.0.weight",), (adapter,), lr=1e-5, weight_decay=0.0)
    census = count_parts(SPECS, [in_place, adapted])
    assert census.trained == 28 + 6
    assert census.optimizer_bytes == (28 + 6) * BYTES_PER_TRAINED
    body, head = census.parts
    assert [(one.strategy, one.parameters, one.lr, one.added) for one in body.training] == [("lora", 6, 1e-5, True)]
    assert [(one.strategy, one.parameters, one.added) for one in head.training] == [("freeze", 28, False)]


def test_a_part_that_only_a_strategy_adds_comes_last() -> None:
    tag = ParameterSpec("language_tag.norwegian", (4,), "language_tag")
    census = count_parts(SPECS, [Claim("language_tag", (), (), (tag,), lr=1e-3, weight_decay=0.0)])
    assert [part.part for part in census.parts] == ["body", "head", "language_tag"]
    assert census.parts[-1].parameters == 0 and census.parts[-1].training[0].parameters == 4


def test_tree_folds_siblings_that_are_alike_and_only_those() -> None:
    tree = module_tree(SPECS)
    layers = tree.children["body"].children["layers"]
    assert list(layers.children) == ["0..1", "2"]
    assert layers.children["0..1"].repeats == 2
    assert layers.children["0..1"].parameters == 24
    assert tree.parameters == 72
