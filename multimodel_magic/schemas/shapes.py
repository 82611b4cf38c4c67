"""Python's types as pydantic reads them."""

from __future__ import annotations

import sys
import typing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ["adapter"]

_BUILT_IN = (dict, list, set, tuple)


def adapter(shape: Any) -> TypeAdapter[Any]:  # noqa: ANN401 - whatever pydantic describes
    """Return what describes a type and makes instances of it.

    Raises
    ------
    pydantic.PydanticUserError, NameError, TypeError
        Where pydantic cannot describe it.
    """
    from pydantic import TypeAdapter

    old = sys.version_info < (3, 12)  # before, pydantic takes typing_extensions' TypedDict only
    return TypeAdapter(_modern(shape) if old else shape)


def _modern(shape: Any) -> Any:  # noqa: ANN401 - as above
    """Rebuild the TypedDicts of `typing`, alone or inside of containers and each other."""
    origin, inner = typing.get_origin(shape), typing.get_args(shape)
    if origin in _BUILT_IN:
        return origin[tuple(map(_modern, inner))]
    if origin in (typing.Required, typing.NotRequired):
        return _modern(inner[0])
    if not typing.is_typeddict(shape):
        return shape
    import typing_extensions

    hints = typing.get_type_hints(shape, include_extras=True)
    fields = {
        name: _modern(hint)
        if name in shape.__required_keys__
        else typing.NotRequired[_modern(hint)]
        for name, hint in hints.items()
    }
    make: Any = typing_extensions.TypedDict
    return make(shape.__name__, fields)
