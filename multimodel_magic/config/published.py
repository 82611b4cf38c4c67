"""The JSON Schema for editors, made from the models; `routing_config.schema.json` is its copy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import AliasChoices

from multimodel_magic.config.schema import ExperimentSettings, RoutingConfig

__all__ = ["PUBLISHED", "json_schema", "publish"]

PUBLISHED = Path(__file__).parent.parent / "routing_config.schema.json"


def json_schema() -> dict[str, Any]:
    """Make the JSON Schema (draft 2020-12) of `routing_config.yml`.

    A file says `# yaml-language-server: $schema=PATH` in its first line, and editors complete
    and check it; `PUBLISHED` is the path in the installed package.
    """
    schema = RoutingConfig.model_json_schema(by_alias=True, mode="validation")
    _add_spellings(schema["$defs"]["ExperimentSettings"]["properties"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "routing_config.yml of multimodel_magic",
        **{key: value for key, value in schema.items() if key != "title"},
    }


def _add_spellings(properties: dict[str, Any]) -> None:
    """Let editors know the seed's other spelling too: pydantic writes the first one alone."""
    for field in ExperimentSettings.model_fields.values():
        if isinstance(field.validation_alias, AliasChoices):
            first, *others = map(str, field.validation_alias.choices)
            properties.update(dict.fromkeys(others, properties[first]))


def publish() -> None:
    """Write the schema into the package, after a change of the models."""
    PUBLISHED.write_text(json.dumps(json_schema(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    publish()
