"""What models there are, and which provider serves a name.

A `Catalogue` is a value: aliases, roles, what is usable here. It asks no network and reads no
clock; whoever knows that a key is missing hands it a copy with `with_unusable`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from multimodel_magic import plugins
from multimodel_magic.catalogue.data import (
    AS_OF,
    FAMILIES,
    KNOWN,
    OLLAMA_FAMILIES,
    REPLACEMENTS,
    ROLES,
    VENDORS,
)
from multimodel_magic.errors import UnknownModel, did_you_mean
from multimodel_magic.types import Model

__all__ = ["Catalogue", "Resolved", "window_of"]

OWN_PROVIDERS = frozenset({"anthropic", "local", "ollama", "openai", "scripted"})

NOTICE_DAYS = 60
"""How long before its announced retirement a model is spoken of."""

_DATE = re.compile(r"-(\d{8}|\d{4}-\d{2}-\d{2}|\d{4})$")
_TAGGED = re.compile(
    # Ollama's tags begin with a size, a precision or such a word; what has a path is no provider.
    r"[\w.-]+(/[\w.-]+)+:[\w.-]+"
    r"|[\w.-]+:(e?\d+(\.\d+)?(x\d+(\.\d+)?)?[bm]|i?q\d|b?f(p)?\d+|v\d"
    r"|latest|instruct|chat|code|text|cloud|mini)\b[\w.-]*",
    re.IGNORECASE,
)
_FAMILIES = tuple((re.compile(start), provider) for start, provider in FAMILIES.items())


@dataclass(frozen=True, slots=True)
class Resolved:
    """The model that a name means, and what the user should know about that."""

    model: Model
    notices: tuple[str, ...] = ()
    passed_over: tuple[Model, ...] = ()
    """Models of the role that come before this one, and whose providers cannot be asked here."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Aliases, roles and models, and what of them can be asked here.

    Parameters
    ----------
    aliases
        The user's own names: alias -> `provider:model`, model, role or another alias.
    roles
        Role -> models in the order in which they are tried; `fast`, `balanced`, `strong`,
        `vision` by default.
    unusable
        Provider -> why it cannot be asked here. Whoever is not named is usable.
    providers
        Names that count before a colon, besides those of installed entry points.
    today
        For retirements: a model past its date is replaced.

    Examples
    --------
    >>> Catalogue().resolve("o3").model.full_name
    'openai:o3'
    >>> Catalogue().resolve("gpt-oss:20b").model.full_name
    'ollama:gpt-oss:20b'
    >>> Catalogue(unusable={"anthropic": "no key"}).resolve("fast").model.full_name
    'openai:gpt-6-luna'
    """

    aliases: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: ROLES)
    unusable: Mapping[str, str] = field(default_factory=dict)
    providers: frozenset[str] = OWN_PROVIDERS
    today: date = AS_OF

    def with_aliases(self, aliases: Mapping[str, str]) -> Catalogue:
        """Return a copy that knows these aliases too; a new one wins over an old one."""
        return replace(self, aliases={**self.aliases, **aliases})

    def with_roles(self, roles: Mapping[str, Iterable[str]]) -> Catalogue:
        """Return a copy with these roles besides the others, or instead of their namesakes."""
        return replace(self, roles={**self.roles, **{r: tuple(m) for r, m in roles.items()}})

    def with_unusable(self, unusable: Mapping[str, str]) -> Catalogue:
        """Return a copy in which exactly these providers cannot be asked."""
        return replace(self, unusable=unusable)

    def with_providers(self, names: Iterable[str]) -> Catalogue:
        """Return a copy that knows these provider names too, such as `groq`."""
        new = frozenset(names) - self.providers
        return replace(self, providers=self.providers | new) if new else self

    def resolve(self, name: str) -> Resolved:
        """Find the model that a name means, and the provider that serves it.

        In this order: `provider:model` (or `provider/model`), aliases, roles (the first model
        whose provider is usable, else the first), known models, a provider of one known model
        (`local`), a word of one role's model (`opus`), `name:tag` and library names of Ollama,
        families (`claude-...`, `gpt-7`) with a notice.

        Raises
        ------
        UnknownModel
            The name means nothing; the message names the nearest.
        """
        return self._resolve(name.strip(), ())

    def meets(self, model: Model, needs: Iterable[str], input_tokens: int) -> str | None:
        """Say why the model cannot serve such a request, or None; unknown facts never exclude.

        Parameters
        ----------
        model
            As `resolve` gave it.
        needs
            Any of `vision`, `tools`, `json`.
        input_tokens
            An estimate of what the request holds.
        """
        if model.needs is not None and (lacks := sorted(set(needs) - model.needs)):
            return f"no {' and no '.join(lacks)}"
        window = model.context_tokens
        if window is not None and input_tokens >= window:
            return f"context window {window:,} < about {input_tokens:,} tokens"
        return None

    def known_models(self) -> tuple[str, ...]:
        """Full names of the models that are not retired, sorted by provider."""
        alive = (model.full_name for model in KNOWN.values() if not self._is_retired(model))
        return tuple(sorted(alive))

    def names(self) -> tuple[str, ...]:
        """Everything that may be typed for a model: aliases, roles, bare names, full names."""
        bare = (name for name, model in KNOWN.items() if not self._is_retired(model))
        return tuple(dict.fromkeys([*self.aliases, *self.roles, *bare, *self.known_models()]))

    def _resolve(self, name: str, seen: tuple[str, ...]) -> Resolved:
        if (split := self._split(name)) is not None:
            return self._named_outright(*split)
        if name in self.aliases:
            if name in seen:
                raise UnknownModel(f"the aliases {' -> '.join([*seen, name])} turn in a circle")
            return self._resolve(self.aliases[name], (*seen, name))
        if name in self.roles:
            return self._role(name, seen)
        found = self._listed(name) or self._only_model_of(name) or _by_a_word(name)
        return found or self._of_ollama(name) or self._of_a_family(name)

    def _only_model_of(self, provider: str) -> Resolved | None:
        """Let `local` stand for its one model."""
        models = [model for model in KNOWN.values() if model.provider == provider]
        return Resolved(models[0]) if len(models) == 1 else None

    def _split(self, name: str) -> tuple[str, str] | None:
        """Split `provider:model`; what stands first counts only where it is a provider."""
        found = re.match(r"([^:/]+)[:/](.+)", name)
        if found is None:
            return None
        provider, model = found.groups()
        known = provider in self.providers or provider in plugins.provider_names()
        return (provider, model) if known else None

    def _named_outright(self, provider: str, name: str) -> Resolved:
        """Take the user at their word: such a name is never replaced, only spoken of."""
        known = _known(name)
        if known is None or known.provider != provider:
            return Resolved(Model(provider, name))
        model = replace(known, name=name)
        return Resolved(model, self._obituary(model))

    def _role(self, role: str, seen: tuple[str, ...]) -> Resolved:
        if role in seen or not self.roles[role]:
            raise UnknownModel(f"the role {role!r} leads to no model")
        found = [self._resolve(name, (*seen, role)) for name in self.roles[role]]
        usable = (n for n, one in enumerate(found) if one.model.provider not in self.unusable)
        meant = next(usable, 0)
        before = tuple(one.model for one in found[:meant])
        return replace(found[meant], passed_over=(*before, *found[meant].passed_over))

    def _listed(self, name: str) -> Resolved | None:
        known = _known(name)
        if known is None:
            return None
        heir = REPLACEMENTS.get(known.name)
        if not self._is_retired(known) or heir is None:
            model = replace(known, name=name)
            return Resolved(model, self._obituary(model))
        return Resolved(
            KNOWN[heir], (f"{name} was retired on {known.retired_on}: {heir} stands in for it",)
        )

    def _of_ollama(self, name: str) -> Resolved | None:
        family, _, tag = name.partition(":")
        if family in OLLAMA_FAMILIES:
            return Resolved(Model("ollama", name))
        if not tag or _family(name) is not None:
            return None
        known = sorted(self.providers | set(plugins.provider_names()))
        # Nearer than did_you_mean asks: families such as `smollm2:135m` are no typo of `ollama`.
        near = did_you_mean(family, known, most=1, alike=0.7)
        if not near and family not in VENDORS:
            if _TAGGED.fullmatch(name):
                return Resolved(Model("ollama", name))
            if not re.fullmatch(r"[\w.-]+", family):
                return None
            near = f"; there are {', '.join(known)}"
        near = near or "; register it under that name first"
        raise UnknownModel(
            f"no provider is called {family!r}{near} (a model of Ollama: ollama:{name})"
        )

    def _of_a_family(self, name: str) -> Resolved:
        if (provider := _family(name)) is None:
            alone = [word for word in self.providers if self._only_model_of(word) is not None]
            near = did_you_mean(name, [*self.names(), *alone]) or "; see %llm models"
            raise UnknownModel(f"no model, role or alias is called {name!r}{near}")
        near = did_you_mean(name, [n for n in self.names() if ":" not in n], most=1)
        return Resolved(
            Model(provider, name), (f"{name} is not in the catalogue: asking {provider}{near}",)
        )

    def _is_retired(self, model: Model) -> bool:
        return model.retired_on is not None and model.retired_on <= self.today.isoformat()

    def _obituary(self, model: Model) -> tuple[str, ...]:
        """Speak of a retirement that has happened or is near."""
        soon = (self.today + timedelta(days=NOTICE_DAYS)).isoformat()
        known = _known(model.name)
        if known is None or model.retired_on is None or model.retired_on > soon:
            return ()
        heir = REPLACEMENTS.get(known.name)
        verb = "was retired" if self._is_retired(model) else "will be retired"
        advice = f"; its successor here is {heir}" if heir else ""
        return (f"{model.name} {verb} on {model.retired_on}{advice}",)


def window_of(full_name: str) -> int | None:
    """Return the context window of `provider:model` in tokens; None where it is not known.

    Examples
    --------
    >>> window_of("anthropic:claude-haiku-4-5"), window_of("mine:claude-haiku-4-5")
    (200000, None)
    """
    provider, _, name = full_name.partition(":")
    known = _known(name)
    return known.context_tokens if known is not None and known.provider == provider else None


def _by_a_word(word: str) -> Resolved | None:
    """Let `opus` stand for the one model of the roles that has the word in its name."""
    names = {name.partition(":")[2] for models in ROLES.values() for name in models}
    found = [name for name in names if word.isalpha() and word in name.split("-")]
    return Resolved(KNOWN[found[0]]) if len(found) == 1 else None


def _known(name: str) -> Model | None:
    """Look a bare name up, with or without the date of its snapshot."""
    return KNOWN.get(name) or KNOWN.get(_DATE.sub("", name))


def _family(name: str) -> str | None:
    return next((provider for start, provider in _FAMILIES if start.match(name)), None)
