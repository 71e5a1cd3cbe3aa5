"""How a check is proven: it has to name the place in which a component breaks the contract."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from kathrine.testing import ConformanceError


def rejected(check: Callable[[], Any], sentence: str) -> None:
    """The check raises with this sentence, and tells where the contract stands."""
    with pytest.raises(ConformanceError, match=re.escape(sentence)) as raised:
        check()
    assert "\n  the contract, kathrine." in str(raised.value)
