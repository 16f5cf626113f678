"""The services' published schemas as validators; where they are absent, tests that want them are skipped.

Recipe: contracts/README-lmis.md. ``$schema`` is dropped, a ``?`` at the end of a property's name means optional, equal
names in ``required`` count once, two files that are absent upstream accept everything.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

PLACES = [parent / "shared" / "contracts" / "openlmis" for parent in Path(__file__).resolve().parents]
ABSENT = {"requisition": "statusMessageDto.json", "fulfillment": "programOrderable.json"}


def validator(service: str, name: str) -> Draft4Validator:
    """Validates what one file describes; skips the test where the files are not there."""
    folder = next((place / service for place in PLACES if (place / service).is_dir()), None)
    if folder is None:
        pytest.skip("the published schemas are not beside this checkout")
    registry, files = _load(folder)
    return Draft4Validator(files[name], registry=registry)


@cache
def _load(folder: Path) -> tuple[Registry[Any], dict[str, Any]]:
    files = {path.name: _mended(json.loads(path.read_text("utf-8"))) for path in folder.glob("*.json")}
    if folder.name in ABSENT:
        files.setdefault(ABSENT[folder.name], {})
    resources = [(name, DRAFT4.create_resource(schema)) for name, schema in files.items()]
    return Registry[Any]().with_resources(resources), files


def _mended(value: Any) -> Any:
    if isinstance(value, list):
        return [_mended(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {name.rstrip("?"): _mended(item) for name, item in value.items() if name != "$schema"}
    if isinstance(found.get("required"), list):
        found["required"] = list(dict.fromkeys(found["required"]))
    return found


def faults(service: str, name: str, body: Any) -> list[str]:
    """What is wrong with a body, by the schema of that name."""
    return [f"{error.json_path}: {error.message}" for error in validator(service, name).iter_errors(body)]
