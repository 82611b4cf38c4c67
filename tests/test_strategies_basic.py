import pytest

from multimodel_magic.catalogue import Catalogue
from multimodel_magic.errors import Misconfigured
from multimodel_magic.strategies import Fixed, Named, Resolved
from multimodel_magic.types import Request

NO_KEY = Catalogue(unusable={"openai": "no key"})


def refused(request: Request) -> str:
    with pytest.raises(Misconfigured) as caught:
        Resolved(Named(Fixed(("fast",))), NO_KEY).route(request)
    return str(caught.value)


def test_where_only_keys_are_missing_nobody_is_told_to_change_the_request() -> None:
    told = refused(Request("Hi", models=("openai:gpt-6-luna",)))
    assert told.endswith("openai:gpt-6-luna: no key; who can is listed by %llm models")


def test_where_a_model_here_lacks_what_is_needed_the_request_may_be_changed() -> None:
    told = refused(Request("Hi", models=("local:smollm2",), needs=frozenset({"vision"})))
    assert told.endswith("no vision; shorten or change the request, or see %llm models")


def test_a_name_that_may_be_misspelt_is_spoken_of_where_its_key_is_missing_too() -> None:
    told = refused(Request("Hi", models=("gpt-6-lunar",)))
    assert "gpt-6-lunar: no key" in told
    assert "is not in the catalogue: asking openai; did you mean 'gpt-6-luna'?" in told
