"""The JSON Schema of the settings file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


def settings_schema(frameworks: Sequence[str] = ()) -> dict[str, Any]:
    """The schema that editors use (JSON Schema 2020-12), with the names of the `frameworks` that may be written.

    What may be left out is `None` in the code; an empty value in the file is refused, so that no `null` stands here.
    """
    from pydantic.json_schema import GenerateJsonSchema
    from pydantic_core import core_schema

    from trimtab.settings.schema import Settings

    class Written(GenerateJsonSchema):
        def nullable_schema(self, schema: core_schema.NullableSchema) -> dict[str, Any]:
            return self.generate_inner(schema["schema"])

        def default_schema(self, schema: core_schema.WithDefaultSchema) -> dict[str, Any]:
            return self.generate_inner(schema["schema"])

        def dict_schema(self, schema: core_schema.DictSchema) -> dict[str, Any]:
            written = super().dict_schema(schema)
            return {**written, "additionalProperties": False} if "patternProperties" in written else written

    schema = Settings.model_json_schema(by_alias=True, schema_generator=Written)
    if frameworks:
        schema["$defs"]["Service"]["properties"]["framework"]["enum"] = list(frameworks)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "trimtab.yml"}
