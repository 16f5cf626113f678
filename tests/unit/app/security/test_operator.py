from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import platform
from app.preferences import Preferences
from app.security.operator import choose_operator, chosen_operator, fault_of_name, present_operator


@pytest.fixture(autouse=True)
def nobody_named() -> Iterator[None]:
    yield
    choose_operator("")


def test_the_chosen_name_stands_before_the_account() -> None:
    assert present_operator() == platform.console_user()
    choose_operator("Adékúnlé Ọlá")
    assert present_operator() == f"Adékúnlé Ọlá ({platform.console_user()})"
    assert chosen_operator() == "Adékúnlé Ọlá"


@pytest.mark.parametrize("name", ["Amina (root)", "a\nb", " a", "a ", "a  b", "x" * 81, 5, None, "a\x00", "a\u202eb"])
def test_names_that_could_pass_for_another_are_refused(name: object) -> None:
    fault = fault_of_name(name)
    assert fault.endswith(".")
    with pytest.raises(ValueError, match="Write"):
        Preferences().changed(operator=name)


@given(st.text(max_size=100))
def test_whatever_is_accepted_keeps_account_and_name_apart(name: str) -> None:
    if fault_of_name(name):
        return
    choose_operator(name)
    before, _, account = present_operator().rpartition(" (")
    assert before == name
    assert account == (f"{platform.console_user()})" if name else platform.console_user())
