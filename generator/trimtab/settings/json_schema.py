"""The JSON Schema of the settings file."""

from __future__ import annotations

from typing import Any


def settings_schema() -> dict[str, Any]:
    """The schema that editors use (JSON Schema 2020-12)."""
    from trimtab.settings.schema import Settings

    schema = Settings.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "trimtab.yml", **schema}
