"""Dealing requests to the arms of an experiment: who is dealt what, and with what probability."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import lru_cache

from multimodel_magic.errors import UsageError, did_you_mean
from multimodel_magic.strategies.dealing import BUCKETS, bucket
from multimodel_magic.types import Option, Reason, Request, Route

__all__ = ["Arm", "Experiment", "declared"]

Setting = Mapping[str, Option]

_SPELLINGS = {
    # The seed's code, the seed's YAML.
    "treatment_model": "treatment",
    "control_model": "control",
    "treatment_percentage": "percentage",
}
_KEYS = ("treatment", "control", "percentage", *_SPELLINGS, "arms", "salt", "unit")


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm: the role, alias or model it asks, and its share of the units in [0, 1]."""

    model: str
    share: float


@dataclass(frozen=True, slots=True)
class Experiment:
    """Deal each unit to an arm, for good.

    Parameters
    ----------
    name
        Two experiments of different names deal independently.
    arms
        Arm -> `Arm(model, share)`, the control first or by that name; shares add up to 1, and
        are rounded to whole buckets of 0.01 %.
    salt
        Change it to deal anew under the same name.
    unit
        What is dealt: `unit` is the request's unit, else its id; `request` is the id always;
        anything else names one of the request's labels (`session`, `notebook`), else the id.

    Raises
    ------
    UsageError
        For fewer than two arms, shares that do not add up to 1 or are finer than 0.01 %.

    Notes
    -----
    A unit's bucket, of 10,000, is the sha256 of experiment, salt and unit. Every treatment
    takes its buckets from a place of its own: the first from the bottom up, the second from the
    top down, the third from the middle up, the fourth from the middle down, and so on at the
    quarters; the control holds the rest. A treatment that grows at the control's cost therefore
    moves units from the control to itself, and no other unit. With up to two treatments that
    always holds. With more it holds until two treatments meet, and no placement can do better:
    to never disturb each other, any two treatments would have to fill the line from opposite
    ends, and a line has two.

    Examples
    --------
    >>> test = Experiment.split("new_model_test", control="balanced", treatment="strong", share=0.1)
    >>> test.route(Request("Hello", unit="user-13")).arm
    'new_model_test:treatment'
    """

    name: str
    arms: Mapping[str, Arm]
    salt: str = ""
    unit: str = "unit"

    def __post_init__(self) -> None:
        where = f"experiment {self.name!r}"
        if not self.name:
            raise UsageError("an experiment needs a name")
        if len(self.arms) < 2:  # noqa: PLR2004 - that is what a comparison takes
            raise UsageError(f"{where}: a comparison takes two arms or more")
        for name, arm in self.arms.items():
            _check_arm(where, name, arm)
        total = math.fsum(arm.share for arm in self.arms.values())
        if not math.isclose(total, 1, abs_tol=1e-6):
            raise UsageError(f"{where}: the shares add up to {total:g}, not to 1")

    @classmethod
    def split(
        cls,
        name: str,
        *,
        control: str,
        treatment: str,
        share: float,
        salt: str = "",
        unit: str = "unit",
    ) -> Experiment:
        """Make the usual experiment: `share` of the units to the treatment, the rest to control."""
        arms = {"control": Arm(control, 1 - share), "treatment": Arm(treatment, share)}
        return cls(name, arms, salt, unit)

    @classmethod
    def from_settings(cls, name: str, settings: Setting) -> Experiment:
        """Read an experiment from its settings, in either of the seed's spellings.

        Parameters
        ----------
        name
            Its name.
        settings
            `treatment`, `control`, `percentage` (the seed's YAML), or `treatment_model`,
            `control_model`, `treatment_percentage` (the seed's code), or `arms` with
            `{arm: {model, share}}`, shares in [0, 1]; `salt` and `unit` besides.

        Raises
        ------
        UsageError
            For unknown, missing and doubled keys, and for values of the wrong kind.
        """
        where = f"experiment {name!r}"
        plain = _plain(where, settings)
        salt, unit = (_text(where, plain, key, otherwise) for key, otherwise in _EXTRAS)
        if "arms" in plain:
            return cls(name, _arms(where, plain["arms"]), salt, unit)
        share = _number(where, "percentage", _needed(where, plain, "percentage")) / 100
        if not 0 <= share <= 1:
            raise UsageError(f"{where}: percentage is {share * 100:g}; give 0 to 100")
        control, treatment = (_text(where, plain, key, None) for key in ("control", "treatment"))
        return cls.split(
            name, control=control, treatment=treatment, share=share, salt=salt, unit=unit
        )

    @property
    def control(self) -> str:
        """The arm that the others are compared with: `control` if there is one, else the first."""
        return "control" if "control" in self.arms else next(iter(self.arms))

    def unit_of(self, request: Request) -> str:
        """Return what of the request is dealt."""
        if self.unit == "unit" and request.unit is not None:
            return request.unit
        return request.labels.get(self.unit, request.request_id)

    def arm_of(self, unit: str) -> str:
        """Return the arm that a unit is dealt to."""
        return self._dealt(unit)[0]

    def probability(self, arm: str) -> float:
        """Return the probability in [0, 1] with which a unit is dealt to an arm."""
        treatments = self._treatments
        number = treatments.index(arm) + 1 if arm in treatments else 0
        return _places(self._sizes).count(number) / BUCKETS

    def route(self, request: Request) -> Route:
        """Return the model of the request's arm, with the arm and its probability."""
        unit = self.unit_of(request)
        arm, index = self._dealt(unit)
        chance = self.probability(arm)
        reason = Reason("ab", f"{self.name}: {arm} (share {chance:.4g})", index / BUCKETS)
        name = f"{self.name}:{arm}"
        return Route((self.arms[arm].model,), "ab", (reason,), name, chance, unit=unit)

    def maybe(self, request: Request) -> Route | None:
        """Return the route, or None where the request asks for another experiment."""
        return self.route(request) if request.experiment in {None, self.name} else None

    @property
    def _treatments(self) -> list[str]:
        return [arm for arm in self.arms if arm != self.control]

    @property
    def _sizes(self) -> tuple[int, ...]:
        return tuple(round(self.arms[arm].share * BUCKETS) for arm in self._treatments)

    def _dealt(self, unit: str) -> tuple[str, int]:
        index = bucket(self.name, self.salt, unit)
        place = _places(self._sizes)[index]
        return (self._treatments[place - 1] if place else self.control), index


def declared(name: str, *strategies: object) -> Experiment | None:
    """Find an experiment by its name among strategies and those that they hold."""
    for one in strategies:
        if isinstance(one, Experiment):
            found = one if one.name == name else None
        elif isinstance(one, tuple):
            found = declared(name, *one)
        else:
            held = fields(one) if is_dataclass(one) and not isinstance(one, type) else ()
            found = declared(name, *(getattr(one, field.name) for field in held))
        if found is not None:
            return found
    return None


def _check_arm(where: str, name: str, arm: Arm) -> None:
    if not name or ":" in name:
        raise UsageError(f"{where}: {name!r} cannot name an arm: empty, or with a colon")
    if not arm.model:
        raise UsageError(f"{where}: the arm {name!r} names no model")
    if isinstance(arm.share, bool) or not 0 <= arm.share <= 1:
        raise UsageError(f"{where}: the share of {name!r} is {arm.share!r}; give 0 to 1")
    if 0 < arm.share < 1 / BUCKETS:
        raise UsageError(f"{where}: the share of {name!r} is finer than 0.01 %")


@lru_cache(maxsize=256)
def _places(sizes: tuple[int, ...]) -> bytes:
    """Give each bucket the number of its treatment, from 1; 0 is the control."""
    taken = bytearray(BUCKETS)
    for number, size in enumerate(sizes, start=1):
        start, step = _start(number)
        free = (i % BUCKETS for i in range(start, start + step * BUCKETS, step))
        left = size
        for index in free:
            if not left:
                break
            if not taken[index]:
                taken[index] = number
                left -= 1
    return bytes(taken)


def _start(number: int) -> tuple[int, int]:
    """Return where a treatment's buckets begin and whether they go up or down.

    The starts are those of van der Corput (0, 1/2, 1/4, 3/4, 1/8, ...), each used twice, so that
    a new treatment finds its place in the middle of the widest gap.
    """
    place, half = 0.0, 0.5
    pair = (number - 1) // 2
    while pair:
        place, pair, half = place + half * (pair & 1), pair >> 1, half / 2
    start = int(place * BUCKETS)
    return (start, 1) if number % 2 else (start - 1, -1)


_EXTRAS = (("salt", ""), ("unit", "unit"))


def _plain(where: str, settings: Setting) -> dict[str, Option]:
    """Bring both of the seed's spellings to one."""
    if not isinstance(settings, Mapping):
        raise UsageError(f"{where}: its settings are {settings!r}; give a dict of them")
    plain: dict[str, Option] = {}
    for key, value in settings.items():
        if key not in _KEYS:
            raise UsageError(f"{where}: unknown key {key!r}{did_you_mean(str(key), _KEYS)}")
        name = _SPELLINGS.get(key, key)
        if name in plain:
            raise UsageError(f"{where}: {name} is given twice, in both spellings")
        plain[name] = value
    doubled = sorted({"treatment", "control", "percentage"} & plain.keys())
    if "arms" in plain and doubled:
        raise UsageError(f"{where}: give either arms or {', '.join(doubled)}")
    return plain


def _needed(where: str, plain: Mapping[str, Option], key: str) -> Option:
    if plain.get(key) is None:
        raise UsageError(f"{where}: {key} is missing")
    return plain[key]


def _text(where: str, plain: Mapping[str, Option], key: str, otherwise: str | None) -> str:
    value = plain.get(key, otherwise) if otherwise is not None else _needed(where, plain, key)
    if not isinstance(value, str):
        raise UsageError(f"{where}: {key} is {value!r}; give a text")
    return value


def _number(where: str, key: str, value: Option) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UsageError(f"{where}: {key} is {value!r}; give a number")
    return float(value)


def _arms(where: str, given: Option) -> dict[str, Arm]:
    if not isinstance(given, Mapping):
        raise UsageError(f"{where}: arms is {given!r}; give {{arm: {{model, share}}}}")
    arms = {}
    for arm, settings in given.items():
        if not isinstance(settings, Mapping) or settings.keys() != {"model", "share"}:
            raise UsageError(f"{where}: the arm {arm!r} takes model and share, and nothing else")
        share = _number(where, f"arms.{arm}.share", settings["share"])
        arms[str(arm)] = Arm(_text(where, settings, "model", None), share)
    return arms
