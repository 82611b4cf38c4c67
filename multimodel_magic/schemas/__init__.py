"""JSON Schemas: made of what a user names, checked for sense, and held against answers.

The checking is `jsonschema-rs`'s, which knows every keyword of every draft and takes 25 ms for
megabytes that `jsonschema` takes seconds for (importing that one costs 2 s beside JupyterLab).
"""

from multimodel_magic.schemas.answers import fault_of, json_of, read
from multimodel_magic.schemas.given import is_schema, recalled, schema_of
from multimodel_magic.schemas.keywords import check_schema, parts

__all__ = [
    "check_schema",
    "fault_of",
    "is_schema",
    "json_of",
    "parts",
    "read",
    "recalled",
    "schema_of",
]
