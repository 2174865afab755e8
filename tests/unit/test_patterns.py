"""Patterns that are compiled at their first use."""

import re

import pytest

from lambdas.domain import sentences, speaking_time, spoken_text
from lambdas.domain.patterns import lazy_pattern

MODULES = (sentences, speaking_time, spoken_text)
LAZY = [
    (name, value) for one in MODULES for name, value in vars(one).items() if type(value).__name__ == "_Lazy"
]


def test_behaves_like_the_compiled_pattern() -> None:
    lazy, compiled = lazy_pattern(r"(b)(c)?", re.IGNORECASE), re.compile(r"(b)(c)?", re.IGNORECASE)
    assert lazy.sub("-", "aBCb") == compiled.sub("-", "aBCb")
    assert [m.groups() for m in lazy.finditer("bcB")] == [m.groups() for m in compiled.finditer("bcB")]
    assert lazy.groups == 2
    assert lazy.search("x") is None


def test_an_invalid_pattern_is_found_at_its_first_use() -> None:
    lazy = lazy_pattern("(")
    with pytest.raises(re.error):
        lazy.search("x")


@pytest.mark.parametrize(("name", "pattern"), LAZY, ids=[name for name, _ in LAZY])
def test_each_pattern_compiles(name: str, pattern: re.Pattern[str]) -> None:
    assert pattern.pattern


def test_there_are_patterns() -> None:
    assert len(LAZY) > 30
