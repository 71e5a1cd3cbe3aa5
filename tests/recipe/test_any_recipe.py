"""Whatever a recipe holds, it loads or is refused with places: it never ends in a traceback."""

import contextlib

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plugin_makers import toy_catalog

from kathrine.errors import RecipeError
from kathrine.recipe import load_recipe
from kathrine.recipe.tomlwriter import toml_text

KEYS = st.sampled_from(
    [
        "data",
        "train",
        "strategy",
        "whole",
        "toy_source",
        "model",
        "toy_model",
        "source",
        "name",
        "use",
        "enabled",
        "unset",
        "lr",
        "steps",
        "epochs",
        "batch",
        "examples",
        "stages",
        "curriculum",
        "in_order",
        "lr_scale",
        "path",
        "files",
        "profile",
        "smoke",
        "trust_remote_code",
        "run",
        "seed",
        "variants",
        "prepare",
        "min_seconds",
        "layers",
        "x y",
    ]
)
VALUES = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(-2, 5),
        st.floats(),
        st.sampled_from(["toy_source", "whole", "", "a b", "another", "talker"]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=15,
)


TABLES = st.fixed_dictionaries(
    {},
    optional={
        "data": st.lists(st.dictionaries(KEYS, VALUES, max_size=4), max_size=3),
        "train": st.dictionaries(KEYS, VALUES, max_size=4),
        "strategy": st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=4), max_size=3),
        "curriculum": st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=4), max_size=2),
        "model": st.just({"toy_model": {}}),
    },
)
DOCUMENTS = st.one_of(
    st.dictionaries(KEYS, VALUES, max_size=6),
    st.builds(lambda plain, smoke: plain | {"profile": {"smoke": smoke}}, TABLES, TABLES),
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=DOCUMENTS, profile=st.sampled_from([None, "smoke"]), value=VALUES)
def test_any_document_loads_or_is_refused_with_places(tmp_path, document, profile, value):
    catalog = toy_catalog(tmp_path)
    path = tmp_path / "any.toml"
    path.write_text(toml_text(document), encoding="utf-8")
    (tmp_path / "child.toml").write_text(toml_text(document | {"extends": "any.toml"}), encoding="utf-8")
    sets = [] if value is None else [f"train.steps={value}", "strategy.whole.lr=1"]
    for file in (path, tmp_path / "child.toml"):
        with contextlib.suppress(RecipeError):
            load_recipe(file, profile, sets, catalog)
