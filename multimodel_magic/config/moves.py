"""Which item of a changed list was which before: by that its comments follow it."""

from __future__ import annotations

from collections.abc import Sequence

from multimodel_magic.config.document import Plain

__all__ = ["is_cut", "is_moved", "origins_of"]


def origins_of(before: Sequence[Plain], wanted: Sequence[Plain]) -> tuple[int | None, ...]:
    """Say for every item where it stood; None for a new one.

    Equal items are the same one, else items of one name, else those at one place.

    Examples
    --------
    >>> origins_of(["a", "b", "c"], ["c", "a", "d"])
    (2, 0, None)
    >>> origins_of([{"name": "x", "n": 1}, "b"], ["b", {"name": "x", "n": 2}])
    (1, 0)
    """
    origins: list[int | None] = [None] * len(wanted)
    for same in (_unmoved, _equal, _namesakes):
        for place, item in enumerate(wanted):
            if origins[place] is None:
                free = (n for n in range(len(before)) if n not in origins)
                found = (n for n in free if same((n, before[n]), (place, item)))
                origins[place] = next(found, None)
    for place, origin in enumerate(origins):
        if origin is None and place < len(before) and place not in origins:
            origins[place] = place
    return tuple(origins)


def is_moved(origins: Sequence[int | None]) -> bool:
    """Say whether items stand elsewhere than before.

    Examples
    --------
    >>> is_moved((0, None, 2)), is_moved((1, 0)), is_moved((None, 0))
    (False, True, True)
    """
    return any(origin not in {None, place} for place, origin in enumerate(origins))


def is_cut(before: Sequence[Plain], wanted: Sequence[Plain]) -> bool:
    """Say whether items are gone and nothing else is changed.

    Examples
    --------
    >>> is_cut("abc", "ac"), is_cut("abc", "ca"), is_cut("abc", "abc")
    (True, False, False)
    """
    left = iter(before)
    return len(wanted) < len(before) and all(item in left for item in wanted)


_Placed = tuple[int, Plain]


def _unmoved(one: _Placed, other: _Placed) -> bool:
    return one == other


def _equal(one: _Placed, other: _Placed) -> bool:
    return one[1] == other[1]


def _namesakes(one: _Placed, other: _Placed) -> bool:
    names = [item["name"] for _, item in (one, other) if isinstance(item, dict) and "name" in item]
    return len(names) == 2 and names[0] == names[1]  # noqa: PLR2004 - both
