import dataclasses
import os
import time
import types
from collections import ChainMap
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multimodel_magic.errors import UsageError
from multimodel_magic.notebook.template import MOST_ROWS, interpolate

FRAME = pd.DataFrame({"city": ["Oslo", "Rome"], "people": [709_000, 2_755_000]})


def complaint(text, **namespace):
    with pytest.raises(UsageError) as caught:
        interpolate(text, namespace)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}',
        "$x$ and $$\\frac{a}{b}$$",
        "{% raw %}{% endraw %}{# no comment #}",
        "ends with lines\r\n\n\n",
        "{{ never closes",
        "closes }} without opening",
        "std::vector<std::vector<int>> v = {{1,2},{3,4}};",
        "f'{{}}' and {{ }}",
        "{{ over\ntwo lines }}",
        'fn(a) { return {"a": {"b": {"c": 1}}}; }',
    ],
)
def test_all_but_expressions_passes_byte_for_byte(text):
    assert interpolate(text, {"a": "wrong", "x": "wrong"}) == text


@given(st.text().filter(lambda text: "{{" not in text), st.text())
def test_a_value_is_placed_as_it_is_between_texts_as_they_are(text, value):
    around = text.rstrip("{")
    assert interpolate(f"{around}{{{{v}}}}{text}", {"v": value}) == f"{around}{value}{text}"


def test_a_value_is_never_expanded_again():
    assert interpolate("{{name}}", {"name": "{{secret}}", "secret": "x"}) == "{{secret}}"


@pytest.mark.parametrize("opening", ['{{"', "{{'", "{{", "{{ a", "{{ {", "{{" + "x" * 50])
def test_a_hostile_paste_of_openings_takes_no_quadratic_time(opening):
    text = opening * (200_000 // len(opening))
    before = time.process_time()
    assert interpolate(text, {}) == text
    assert time.process_time() - before < 0.5


def test_undefined_name_names_the_nearest():
    assert complaint("Hi {{nme}}", name="x") == (
        "undefined name 'nme' in {{nme}}; did you mean 'name'? (--raw turns interpolation off)"
    )


def test_undefined_name_may_have_a_default():
    assert interpolate("{{ nme | default('nobody') }}", {}) == "nobody"


def test_unknown_filter_names_the_nearest():
    assert "no filter 'hed'; did you mean 'head'?" in complaint("{{df|hed}}", df=FRAME)
    assert "no filter 'zzz'; there are csv, head," in complaint("{{df|zzz}}", df=FRAME)


@pytest.mark.parametrize("text", ["{{a b}}", "{{ 1 + }}", "{{a..b}}", "{{a|}}"])
def test_syntax_error_names_its_piece(text):
    message = complaint(f"before {text} after", a=1, b=2)
    assert message.startswith(f"{text}: syntax error")


@pytest.mark.parametrize(
    "text",
    [
        "{{ os.system('true') }}",
        "{{ os }}",
        "{{ environ }}",
        "{{ opener('/etc/passwd') }}",
        "{{ f() }}",
        "{{ f }}",
        "{{ f.__globals__ }}",
        "{{ f.__globals__['os'] }}",
        "{{ f['__globals__'] }}",
        "{{ name.__class__.__mro__ }}",
        "{{ name['__class__'] }}",
        "{{ name | attr('__class__') }}",
        "{{ '{0.__class__}'.format(name) }}",
        "{{ [1] | map(attribute='__class__') | first }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ self.__init__ }}",
        "{{ self }}",
        "{{ __builtins__ }}",
        "{{ df.to_csv('/tmp/stolen') }}",
        "{{ df.pipe(f) }}",
        "{{ df.eval('city') }}",
        "{{ df.sort_values('city', key=f) }}",
        "{{ l.append(1) }}",
        "{{ holder.os.getcwd() }}",
        "{{ 'x' * 10**9 }}",
        "{{ 2 ** 10000000 }}",
        "{{ 'x'.ljust(10**9) }}",
    ],
)
def test_nothing_leads_out_of_the_sandbox(text):
    class Holder:
        pass

    holder = Holder()
    holder.os = os
    complaint(
        text, os=os, environ=os.environ, opener=open, f=lambda: os, name="n", df=FRAME, l=[0],
        holder=holder, __builtins__={"open": open},
    )  # fmt: skip


def test_an_error_of_the_expression_is_one_line():
    assert "{{1/0}}: ZeroDivisionError: division by zero" in complaint("{{1/0}}")


def test_methods_that_only_look_may_be_called():
    text = "{{ df.people.max() }} {{ name.upper() }} {{ d.get('k') }} {{ day.isoformat() }}"
    namespace = {"df": FRAME, "name": "n", "d": {"k": 1}, "day": date(2026, 11, 22)}
    assert interpolate(text, namespace) == "2755000 N 1 2026-11-22"


def test_a_frame_reads_as_a_table():
    assert interpolate("{{df}}", {"df": FRAME}) == FRAME.to_string()


def test_a_long_frame_says_how_many_rows_it_shows():
    lines = interpolate("{{df}}", {"df": pd.DataFrame({"a": range(1234)})}).splitlines()
    assert len(lines) == 1 + MOST_ROWS + 1
    assert lines[-1] == "[60 of 1,234 rows; head(1234), csv or json shows all]"


def test_long_cells_are_not_cut():
    text = "word " * 100
    assert text in interpolate("{{df}} {{s}}", {"df": pd.DataFrame({"t": [text]}), "s": ""})
    assert text in interpolate("{{s}}", {"s": pd.Series([text])})


def test_a_long_array_says_how_many_rows_it_shows():
    shown = interpolate("{{a}}", {"a": np.arange(2000).reshape(1000, 2)})
    assert shown.endswith("[60 of 1,000 rows; head(1000), csv or json shows all]")
    assert "..." not in interpolate("{{a|head(1000)|json}}", {"a": np.arange(1000)})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{df | head(1) | csv}}", "city,people\nOslo,709000\n"),
        ("{{df | tail(1) | json}}", '[{"city":"Rome","people":2755000}]'),
        ("{{df | head(1) | markdown}}", "| city | people |\n| --- | --- |\n| Oslo | 709000 |"),
        ("{{df.set_index('city').people | head(1) | csv}}", "city,people\nOslo,709000\n"),
        ("{{'a|b' | trim}}", "a|b"),
        ("{{d | json}}", '{"k": [1, "é"]}'),
        ("{{lines | head(1)}}", "one\n"),
        ("{{items | tail(2) | join(', ')}}", "2, 3"),
    ],
)
def test_filters(text, expected):
    namespace = {"df": FRAME, "d": {"k": [1, "é"]}, "lines": "one\ntwo", "items": [1, 2, 3]}
    assert interpolate(text, namespace) == expected


@dataclasses.dataclass
class Settings:
    name: str
    where: object


ENVIRONMENTS = {
    "in a dict": {"k": os.environ},
    "in a list": [1, [os.environ]],
    "a copy": dict(os.environ),
    "a view": os.environ.items(),
    "a read-only view": types.MappingProxyType(os.environ),
    "in a chain": ChainMap({"a": 1}, os.environ),
    "in a namespace": types.SimpleNamespace(e=os.environ),
    "in a dataclass": Settings("n", {"deep": (os.environ,)}),
    "in a series": pd.Series([1, os.environ], dtype=object),
    "in a frame": pd.DataFrame({"o": pd.Series([[os.environ]], dtype=object)}),
    "in an array": np.array([None, {"e": os.environ}], dtype=object),
}


@pytest.mark.parametrize("held", ENVIRONMENTS.values(), ids=ENVIRONMENTS.keys())
@pytest.mark.parametrize(
    "text", ["{{v}}", "{{v | json}}", "{{[v] | string}}", "{{'%s' % [v]}}", "{{v ~ ''}}"]
)
def test_the_environment_leaves_in_no_container(held, text, monkeypatch):
    monkeypatch.setenv("CANARY", "sk-canary")
    held = dict(os.environ) if type(held) is dict and "k" not in held else held
    assert "sk-canary" not in complaint(text, v=held)


def test_the_refusal_names_where_the_environment_stands():
    assert "at ['k'][0] in it is the environment" in complaint("{{d}}", d={"k": [os.environ]})


@pytest.mark.parametrize("value", [[print], {"f": len}, (os,), Settings("n", dict), [[int]]])
def test_code_in_a_container_is_no_text(value):
    assert "in it is a" in complaint("{{v}}", v=value)


def test_what_holds_itself_is_written_all_the_same():
    loop = [1]
    loop.append(loop)
    assert interpolate("{{v}}", {"v": loop}) == "[1, [...]]"


def test_parts_beside_the_environment_may_be_shown():
    assert interpolate("{{d.name}}", {"d": {"k": os.environ, "name": "x"}}) == "x"
    assert interpolate("{{d | length}}", {"d": {"k": os.environ}}) == "1"


def test_a_field_that_is_not_shown_may_hold_anything():
    @dataclasses.dataclass
    class Job:
        name: str
        call: object = dataclasses.field(repr=False)

    assert "Job(name='n')" in interpolate("{{v}}", {"v": Job("n", print)})


def test_a_big_frame_is_looked_through_as_far_as_it_is_shown():
    frame = pd.DataFrame({"n": range(3_000_000)})
    frame["o"] = frame.n.astype(object)
    before = time.process_time()
    interpolate("{{df}}", {"df": frame})
    assert time.process_time() - before < 0.5
    assert "too large" in complaint("{{df | csv}}", df=frame)
