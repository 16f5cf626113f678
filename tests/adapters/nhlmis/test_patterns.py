"""Patterns of operators over texts of peers: what is useful passes, what could hang is refused, and nothing is slow."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.nhlmis.patterns import LONGEST_TEXT, check_pattern, find_funder
from adapters.nhlmis.profile import Funder

DEFAULT = Funder().pattern


@pytest.mark.parametrize(
    ("pattern", "text", "funder"),
    [
        (DEFAULT, "urgent; funder: Global Fund; line 2", "Global Fund"),
        (DEFAULT, "FUNDER:PMI\nsecond line", "PMI"),
        (DEFAULT, "nothing of the kind", ""),
        (r"\[(?P<funder>GF|PMI|GAVI)\]", "Order [gavi] 12", "gavi"),
        (r"donor[ =]?(?P<funder>\w{2,12})", "donor=USAID", "USAID"),
        (r"(?:funder|donor): (?P<funder>[^]]+)\]", "x [donor: State] y", "State"),
        ("", "funder: x", ""),
    ],
)
def test_useful_patterns_find_the_funder(pattern: str, text: str, funder: str) -> None:
    assert find_funder(check_pattern(pattern), text) == funder


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (r"(?P<funder>(a+)+)$", "a group must not be repeated"),
        (r"(?P<funder>(?:a|aa)*)$", "a group must not be repeated"),
        (r"(?P<funder>(?:a|aa){2,})$", "a group must not be repeated"),
        (r"(?P<funder>a+)*$", "a group must not be repeated"),
        (r"(?P<funder>.*.*.*.*)x", "at most 2 repeats"),
        (r"(?P<funder>a?a?a?a?a?a?a?)x", "at most 2 repeats"),
        (r"(?P<funder>a)(?P=funder)", "only (?:…) and (?P<name>…)"),
        (r"(?P<funder>a)\1", "references to earlier groups"),
        (r"(?=x)(?P<funder>a)", "only (?:…) and (?P<name>…)"),
        (r"funder: (.+)", "must hold a group (?P<funder>…)"),
        (r"(?P<funder>[a-z]", "no regular expression"),
        (r"(?P<funder>x{99999999999})", "no regular expression"),
        ("(?P<funder>" + "a" * 200 + ")", "at most 200 characters"),
    ],
)
def test_what_could_hang_or_cannot_work_is_refused(pattern: str, words: str) -> None:
    with pytest.raises(ValueError, match=r"\S") as found:
        check_pattern(pattern)
    assert words in str(found.value)


PIECES = st.lists(
    st.sampled_from(["a", ".", "[^;]", r"\s", "*", "+", "?", "{1,9}", "|", "(?:", ")", "(?P<funder>", "x", "$"]),
    max_size=12,
).map("".join)


@given(PIECES, st.text(st.sampled_from("ax ;:"), max_size=LONGEST_TEXT * 2))
def test_whatever_passes_is_quick_on_any_text(pattern: str, text: str) -> None:
    try:
        check_pattern(pattern)
    except ValueError:
        return
    began = time.thread_time()
    find_funder(pattern, text)
    assert time.thread_time() - began < 0.5
