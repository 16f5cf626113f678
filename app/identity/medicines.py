"""Names of medicines and supplies in parts: which substance, how strong, in what form, how packed.

``Amoxycillin caps 250mg`` and ``Amoxicillin 250 mg capsules`` are the same; 250 mg and 500 mg never are. Strengths are
compared in mg, ml and units as written, whatever the spacing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from app.identity.words import folded, overlap, skeleton

Strength = tuple[str, str]
"""A number in its shortest form and its unit, "" where none was written."""

_UNITS: dict[str, tuple[str, Decimal]] = {
    "mg": ("mg", Decimal(1)),
    "mgs": ("mg", Decimal(1)),
    "milligram": ("mg", Decimal(1)),
    "g": ("mg", Decimal(1000)),
    "gm": ("mg", Decimal(1000)),
    "gms": ("mg", Decimal(1000)),
    "gram": ("mg", Decimal(1000)),
    "grams": ("mg", Decimal(1000)),
    "kg": ("mg", Decimal(1_000_000)),
    "mcg": ("mg", Decimal("0.001")),
    "ug": ("mg", Decimal("0.001")),
    "μg": ("mg", Decimal("0.001")),
    "ml": ("ml", Decimal(1)),
    "mls": ("ml", Decimal(1)),
    "l": ("ml", Decimal(1000)),
    "litre": ("ml", Decimal(1000)),
    "litres": ("ml", Decimal(1000)),
    "liter": ("ml", Decimal(1000)),
    "iu": ("iu", Decimal(1)),
    "i.u": ("iu", Decimal(1)),
    "u": ("iu", Decimal(1)),
    "units": ("iu", Decimal(1)),
    "unit": ("iu", Decimal(1)),
    "miu": ("iu", Decimal(1_000_000)),
    "mu": ("iu", Decimal(1_000_000)),
    "mega": ("iu", Decimal(1_000_000)),
    "mmol": ("mmol", Decimal(1)),
    "%": ("%", Decimal(1)),
    "cm": ("mm", Decimal(10)),
    "mm": ("mm", Decimal(1)),
    "m": ("mm", Decimal(1000)),
    "fr": ("fr", Decimal(1)),
    "ch": ("fr", Decimal(1)),
    "gauge": ("gauge", Decimal(1)),
    "dose": ("dose", Decimal(1)),
    "doses": ("dose", Decimal(1)),
}
_FORMS: dict[str, str] = {
    **dict.fromkeys(("tab", "tabs", "tablet", "tablets", "tabl", "caplet", "caplets", "tbs"), "tablet"),
    **dict.fromkeys(("cap", "caps", "capsule", "capsules", "cps"), "capsule"),
    **dict.fromkeys(("inj", "injection", "injections", "injectable", "amp", "amps", "ampoule", "ampoules", "ampule",
                     "vial", "vials", "infusion"), "injection"),
    **dict.fromkeys(("syr", "syrup", "susp", "suspension", "elixir", "linctus", "liquid"), "liquid"),
    **dict.fromkeys(("soln", "sol", "solution"), "solution"),
    **dict.fromkeys(("sachet", "sachets", "sach"), "sachet"),
    **dict.fromkeys(("powder", "pwd", "granules"), "powder"),
    **dict.fromkeys(("cream", "crm"), "cream"),
    **dict.fromkeys(("oint", "ointment"), "ointment"),
    **dict.fromkeys(("gel",), "gel"),
    **dict.fromkeys(("lotion",), "lotion"),
    **dict.fromkeys(("drop", "drops", "gtt"), "drops"),
    **dict.fromkeys(("supp", "suppository", "suppositories"), "suppository"),
    **dict.fromkeys(("pessary", "pessaries", "pess"), "pessary"),
    **dict.fromkeys(("inhaler", "mdi", "aerosol"), "inhaler"),
    **dict.fromkeys(("spray",), "spray"),
    **dict.fromkeys(("implant", "implants"), "implant"),
}  # fmt: skip
_SUBFORMS: dict[str, str] = {
    **dict.fromkeys(("dispersible", "disp", "dt", "dispersable"), "dispersible"),
    **dict.fromkeys(("chewable", "chew"), "chewable"),
    **dict.fromkeys(("effervescent", "eff"), "effervescent"),
    **dict.fromkeys(("sr", "xr", "er", "mr", "retard", "sustained"), "slow"),
    **dict.fromkeys(("paediatric", "pediatric", "paed", "paeds", "ped", "infant", "child"), "paediatric"),
    **dict.fromkeys(("adult", "adults"), "adult"),
    **dict.fromkeys(("large", "lge", "xl"), "large"),
    **dict.fromkeys(("medium", "med"), "medium"),
    **dict.fromkeys(("small", "sml"), "small"),
    **dict.fromkeys(("eye", "ophthalmic"), "eye"),
    **dict.fromkeys(("ear", "otic"), "ear"),
    **dict.fromkeys(("rectal",), "rectal"),
    **dict.fromkeys(("male",), "male"),
    **dict.fromkeys(("female",), "female"),
}  # fmt: skip
_OF_TABLETS = {"dispersible", "chewable", "effervescent", "slow"}
_SALTS = {
    "sulphate", "sulfate", "hydrochloride", "hcl", "sodium", "potassium", "fumarate", "gluconate", "maleate", "citrate",
    "phosphate", "trihydrate", "besylate", "besilate", "tartrate", "succinate", "acetate", "mesylate", "bromide",
    "chloride", "nitrate", "dipropionate", "valerate", "disoproxil", "alafenamide",
}  # fmt: skip
_SALT_WORDS = {skeleton(salt): skeleton("hcl" if salt == "hydrochloride" else salt) for salt in _SALTS}
_EXPANSIONS: dict[str, str] = {
    "ors": "oral rehydration salt",
    "rdt": "rapid diagnostic test",
    "mrdt": "malaria rapid diagnostic test",
    "al": "artemether lumefantrine",
    "asaq": "artesunate amodiaquine",
    "sp": "sulfadoxine pyrimethamine",
    "cotrimoxazole": "sulfamethoxazole trimethoprim",
    "acetaminophen": "paracetamol",
    "pcm": "paracetamol",
    "dtg": "dolutegravir",
    "tdf": "tenofovir",
    "3tc": "lamivudine",
    "azt": "zidovudine",
    "efv": "efavirenz",
    "nvp": "nevirapine",
    "abc": "abacavir",
    "ftc": "emtricitabine",
    "tld": "tenofovir lamivudine dolutegravir",
    "inh": "isoniazid",
    "dmpa": "medroxyprogesterone",
    "mms": "multiple micronutrient supplement",
    "rutf": "ready use therapeutic food",
    "llin": "long lasting insecticidal net",
    "iud": "intrauterine device",
    "asa": "aspirin",
    "nacl": "sodium chloride",
    "vit": "vitamin",
    "metro": "metronidazole",
    "exam": "examination",
    "amoxi": "amoxicillin",
    "cipro": "ciprofloxacin",
}
_SILENT = {
    "of", "for", "the", "and", "with", "in", "per", "by", "to", "a", "an", "bp", "usp", "ip", "ph", "eur", "pack",
    "packs", "pk", "pkt", "packet", "box", "bottle", "btl", "blister", "tin", "strip", "pcs", "pc", "piece", "pieces",
    "each", "film", "coated", "oral", "use", "low", "osmolarity", "hard", "iv", "im", "size", "strength", "as", "s",
}  # fmt: skip
_DOTTED = re.compile(r"\bi\.\s?u\.?")
_THOUSANDS = re.compile(r"(?<![\d.,])(\d{1,3}(?:,\d{3})+)(?![\d,])")
_DASHED = re.compile(r"(?<=[a-z]{2})-(?=[a-z])")
_COTRIM = re.compile(r"\bco[ -]trimox")
_PACKS = re.compile(r"\b(?:pack|box|tin|bottle|pkt)\s+of\s+(\d+)\b|\b(\d+)\s*['’]\s*s\b|(?<![\d.])(\d+)\s*s\b")
_COURSE = re.compile(r"(?<![\w.])(\d+)\s*[x×*]\s*(\d+)(?![\w.]*(?:mg|ml|g|cm|mm)\b)(?:'?s)?\b")
_DIGITS = frozenset("0123456789")
_TOKEN = re.compile(r"[0-9]+(?:\.[0-9]+)?|[^\W\d_]+|[%/+]")


@dataclass(frozen=True, slots=True)
class Medicine:
    """A name in parts. ``words`` are what it is, as skeletons, without salts; ``packs`` numbers that count pieces."""

    words: frozenset[str]
    strengths: tuple[Strength, ...]
    forms: frozenset[str]
    subforms: frozenset[str]
    salts: frozenset[str]
    packs: tuple[int, ...]

    @property
    def key(self) -> tuple[frozenset[str], tuple[str, ...]]:
        """Equal for names that may be the same, whatever they leave out of form, salt and pack."""
        return self.words, tuple(sorted(value for value, _unit in self.strengths))


def parse_medicine(name: str) -> Medicine:
    """The parts of a name; never fails: what is not understood is a word."""
    text = _COTRIM.sub("cotrimox", _DOTTED.sub("iu", folded(name)))
    text = _THOUSANDS.sub(lambda found: found.group().replace(",", ""), text).replace(",", " ")
    text = _DASHED.sub(" ", text)
    packs: list[int] = []

    def course(found: re.Match[str]) -> str:
        packs.append(int(found[1][:9]) * int(found[2][:9]))
        return " "

    def pack(found: re.Match[str]) -> str:
        packs.append(int(next(part for part in found.groups() if part)[:9]))
        return " "

    text = _PACKS.sub(pack, _COURSE.sub(course, text))
    words: set[str] = set()
    forms: set[str] = set()
    subforms: set[str] = set()
    salts: set[str] = set()
    tokens = _TOKEN.findall(text)
    strengths = _strengths(tokens)
    for token in tokens:
        if not token or token in _SILENT:
            continue
        if token in _FORMS:
            forms.add(_FORMS[token])
        elif token in _SUBFORMS:
            subforms.add(_SUBFORMS[token])
            if _SUBFORMS[token] in _OF_TABLETS:
                forms.add("tablet")
        else:
            for word in _EXPANSIONS.get(token, token).split(" "):
                if word in _SILENT:
                    continue
                shape = skeleton(word if len(word) < 5 else word.removesuffix("s"))
                if shape in _SALT_WORDS:
                    salts.add(_SALT_WORDS[shape])
                elif len(shape) > 1:
                    words.add(shape)
    if not words:  # Sodium chloride: the salt is the thing
        words, salts = salts, set()
    return Medicine(
        frozenset(words), strengths, frozenset(forms), frozenset(subforms), frozenset(salts), tuple(sorted(packs))
    )


def _strengths(tokens: list[str]) -> tuple[Strength, ...]:
    """Take numbers with their units out of the tokens. ``20/120 mg`` gives both the unit that follows."""
    found: list[Strength] = []
    waiting: list[str] = []  # numbers of a chain whose unit is still to come
    for at, token in enumerate(tokens):
        following = tokens[at + 1] if at + 1 < len(tokens) else ""
        if not token:
            continue
        if token[0] in _DIGITS:
            if (token, following) == ("3", "tc"):  # lamivudine's short name
                tokens[at], tokens[at + 1] = "3tc", ""
                continue
            waiting.append(token)
            tokens[at] = ""
        elif token in ("/", "+"):
            tokens[at] = ""
            if waiting and (not following or following[0] not in _DIGITS):
                found += [_strength(number, "") for number in waiting]
                waiting = []
        elif waiting:
            unit = token if token in _UNITS else ""
            found += [_strength(number, unit) for number in waiting]
            waiting = []
            if unit:
                tokens[at] = ""
    found += [_strength(number, "") for number in waiting]
    return tuple(sorted(found))


@lru_cache(maxsize=16_384)
def _strength(number: str, unit: str) -> Strength:
    plain, factor = _UNITS[unit] if unit else ("", Decimal(1))
    return _plain(Decimal(number) * factor), plain


def _plain(number: Decimal) -> str:
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two names: ``same`` 0 to 1 by their words; ``against`` says what forbids it, "" nothing; ``gaps`` what one side
    leaves open, each with what it costs of 100.
    """

    same: float
    against: str
    gaps: tuple[tuple[str, int], ...] = ()


def compare_medicines(one: Medicine, other: Medicine) -> Comparison:
    """Whether two names may be the same thing. Strength, form, salt and pack forbid it where both tell another."""
    same = 1.0 if one.words == other.words else overlap(one.words, other.words)
    gaps: list[tuple[str, int]] = []
    if one.strengths != other.strengths and not _strengths_agree(one.strengths, other.strengths, gaps):
        return Comparison(same, "the strengths differ")
    if one.forms != other.forms:
        if not one.forms or not other.forms:
            gaps.append(("only one names the form", 4))
        elif one.forms <= other.forms or other.forms <= one.forms:
            gaps.append(("one describes the form closer", 4))
        else:
            return Comparison(same, "the forms differ")
    if one.subforms != other.subforms:
        if one.subforms and other.subforms:
            return Comparison(same, "the forms differ")
        only = ", ".join(sorted(one.subforms or other.subforms))
        gaps.append((f"only one says “{only}”", 14))
    if one.salts != other.salts:
        if one.salts and other.salts and not (one.salts <= other.salts or other.salts <= one.salts):
            return Comparison(same, "the salts differ")
        gaps.append(("only one names the salt", 5))
    if one.packs != other.packs:
        if one.packs and other.packs:
            return Comparison(same, "the packs differ")
        gaps.append(("only one tells the pack", 4))
    return Comparison(same, "", tuple(gaps))


def _strengths_agree(one: tuple[Strength, ...], other: tuple[Strength, ...], gaps: list[tuple[str, int]]) -> bool:
    """Equal where units are told on both sides; one side may leave a unit, a volume or everything out."""
    if not one or not other:
        gaps.append(("only one tells the strength", 22))
        return True
    if len(one) != len(other) and 1 in (len(one), len(other)) and _add_up(one, other):
        gaps.append(("one adds the strengths up", 8))  # co-trimoxazole 480 mg is 400 mg + 80 mg
        return True
    few, many = sorted((list(one), list(other)), key=len)
    rest = list(many)
    for value, unit in few:
        match = next(
            (known for known in rest if known[0] == value and (known[1] == unit or "" in (known[1], unit))), None
        )
        if match is None:
            return False
        rest.remove(match)
    if any(unit != "ml" for _value, unit in rest):
        return False
    gaps.append(("only one tells the volume" if rest else "only one tells the unit", 8))
    return True


def added_up(name: Medicine) -> str:
    """The sum of all strengths, as some write them; "" where there is none."""
    if not name.strengths:
        return ""
    return _plain(sum((Decimal(value) for value, _unit in name.strengths), Decimal(0)))


def _add_up(one: tuple[Strength, ...], other: tuple[Strength, ...]) -> bool:
    """Whether one number is the sum of the other side's, all told in mg or without a unit."""
    if any(unit not in ("mg", "") for _value, unit in (*one, *other)):
        return False
    return sum(Decimal(value) for value, _unit in one) == sum(Decimal(value) for value, _unit in other)
