"""What several contestants answered to the same prompt, as frozen values."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, overload

from multimodel_magic.types import Response, new_ulid
from multimodel_magic.wording import number_of

if TYPE_CHECKING:
    import pandas as pd

    from multimodel_magic.comparison.diff import Differences

__all__ = ["Comparison", "Comparisons", "letter", "shuffled"]

_SHOWN_CHARS = 60
"""How much of a prompt a repr quotes."""


def letter(place: int) -> str:
    """Name a place without saying who stands there.

    Examples
    --------
    >>> [letter(place) for place in (0, 1, 25, 26)]
    ['A', 'B', 'Z', 'A2']
    """
    turn, rest = divmod(place, 26)
    return chr(ord("A") + rest) + (str(turn + 1) if turn else "")


def shuffled(count: int, seed: str) -> tuple[int, ...]:
    """Deal `count` contestants to places: for each place shown, which of those asked for it is.

    The same seed deals the same places, in every process; over seeds every order is equally
    likely.

    Examples
    --------
    >>> sorted(shuffled(4, "seed"))
    [0, 1, 2, 3]
    """

    def key(asked: int) -> bytes:
        return hashlib.sha256(f"{seed}:{asked}".encode()).digest()

    return tuple(sorted(range(count), key=key))


@dataclass(frozen=True, slots=True, repr=False)
class Comparison:
    """One prompt and what its contestants made of it; all in the order shown, left to right.

    While a blind one is hidden, its repr and frame name the places (A, B, ...) instead of the
    contestants; its fields hold everything, for whoever looks.
    """

    prompt: str
    names: tuple[str, ...]
    """The contestants as the user named them: models, aliases, roles or strategies."""
    request_ids: tuple[str, ...]
    """Of the latest request of each: asking one again gives a new id."""
    responses: tuple[Response | None, ...]
    """None where a contestant has not finished, or was stopped before it was asked."""
    blind: bool = False
    """Whether the places were shuffled and the names hidden."""
    revealed: bool = False
    """Whether the names of a blind comparison have been shown."""
    seed: str = ""
    """What the places were dealt from; empty: shown as named."""
    id: str = field(default_factory=new_ulid)

    def __repr__(self) -> str:
        said = " ".join(self.prompt.split())
        said = said if len(said) <= _SHOWN_CHARS else f"{said[: _SHOWN_CHARS - 1]}…"
        ended = sum(response is not None for response in self.responses)
        return f"<comparison of {', '.join(self.labels)}: {ended} of {len(self)} ended, {said!r}>"

    def __len__(self) -> int:
        """Count the contestants."""
        return len(self.names)

    @property
    def hidden(self) -> bool:
        """Whether it is not yet to be said who stands where."""
        return self.blind and not self.revealed

    @property
    def labels(self) -> tuple[str, ...]:
        """What the places are called: the names, or letters while they are hidden."""
        return tuple(map(letter, range(len(self)))) if self.hidden else self.names

    @property
    def shuffle(self) -> tuple[int, ...]:
        """For each place shown, which of those asked for it is; empty where nothing was dealt."""
        return shuffled(len(self), self.seed) if self.seed else ()

    @property
    def texts(self) -> tuple[str, ...]:
        """What each answered, or what came of it; empty where nothing did."""
        return tuple(response.text if response else "" for response in self.responses)

    @property
    def finished(self) -> bool:
        """Whether every contestant has ended, in whatever way."""
        return all(response is not None for response in self.responses)

    @property
    def answered(self) -> tuple[int, ...]:
        """The places whose contestants gave an answer."""
        ended = enumerate(self.responses)
        return tuple(place for place, response in ended if response and response.succeeded)

    def reveal(self) -> Comparison:
        """Return it with its names shown."""
        return replace(self, revealed=True)

    def differences(self) -> Differences:
        """Say where the answers agree and where they differ."""
        from multimodel_magic.comparison.diff import differences

        return differences(self.texts)

    def frame(self) -> pd.DataFrame:
        """Return one row a contestant; the columns are those of `Comparisons.frame`."""
        return Comparisons((self,)).frame()


@dataclass(frozen=True, slots=True, repr=False)
class Comparisons(Sequence[Comparison]):
    """Several prompts, each put to the same contestants: a table, prompts x contestants."""

    rows: tuple[Comparison, ...]

    def __repr__(self) -> str:
        return f"<{number_of(len(self.rows), 'comparison')}: {', '.join(map(repr, self.rows[:3]))}>"

    def __len__(self) -> int:
        """Count the prompts."""
        return len(self.rows)

    def __iter__(self) -> Iterator[Comparison]:
        return iter(self.rows)

    @overload
    def __getitem__(self, index: int) -> Comparison: ...
    @overload
    def __getitem__(self, index: slice) -> Comparisons: ...
    def __getitem__(self, index: int | slice) -> Comparison | Comparisons:
        if isinstance(index, slice):
            return Comparisons(self.rows[index])
        return self.rows[index]

    @property
    def id(self) -> str:
        """The first one's id."""
        return self.rows[0].id if self.rows else ""

    def frame(self) -> pd.DataFrame:
        """Return one row for each prompt and contestant, in the order asked.

        Returns
        -------
        DataFrame
            `comparison`, `prompt`, `place` (from 0, left to right), `contestant`, `answer`,
            `provider`, `model`, `latency_s`, `ttft_s`, `input_tokens`, `output_tokens`,
            `cost_usd` (NaN: unknown), `fallback_used`, `error_type`, `error`, `request_id`. Of
            hidden contestants only the first five are told.
        """
        import pandas as pd

        from multimodel_magic.comparison.columns import COLUMNS, row

        cells = [row(one, place) for one in self.rows for place in range(len(one))]
        return pd.DataFrame(cells, columns=list(COLUMNS)).astype(COLUMNS)
