"""Options of the whole test suite."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.routing.decide")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update", action="store_true", help="write the golden files instead of comparing them"
    )
