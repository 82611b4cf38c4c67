import contextlib
import warnings
from types import SimpleNamespace

import pytest
from IPython.core.interactiveshell import InteractiveShell
from jupyter_client.manager import KernelManager
from traitlets import TraitError
from traitlets.config import Config

from multimodel_magic.notebook import extension, hosting
from multimodel_magic.notebook.completion import Vocabulary
from multimodel_magic.notebook.transformer import transform
from multimodel_magic.types import Request, Response

MOST_MODULES = 25

FAKE = """
from multimodel_magic.notebook.extension import settings
class Fake:
    def run_cell(self, line, cell):
        return ("blocking", line, cell)
    async def run_cell_async(self, line, cell):
        return ("awaited", line, cell)
    def run_line(self, line, local_ns):
        return ("line", line, local_ns.get("q"))
    def vocabulary(self):
        from multimodel_magic.notebook.completion import Vocabulary
        return Vocabulary(models=("fast", "strong"), strategies=("complexity",))
    def show_response(self, response):
        print("shown", response.text)
settings().backend = Fake()
"""


class Backend:
    """Says what it was asked."""

    def __init__(self):
        self.shown = []

    def run_cell(self, line, cell):
        return ("blocking", line, cell)

    async def run_cell_async(self, line, cell):
        return ("awaited", line, cell)

    def run_line(self, line, local_ns):
        return ("line", line, local_ns.get("q"))

    def vocabulary(self):
        return Vocabulary(models=("fast",), strategies=("complexity", "cost"))

    def show_response(self, response):
        self.shown.append(response)


@pytest.fixture(scope="module")
def one_shell():
    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=config)
    yield shell
    InteractiveShell.clear_instance()
    shell.restore_sys_module_state()


@pytest.fixture
def bare_shell(one_shell, monkeypatch):
    # A doctest that ran before in this process leaves `builtins._`, and IPython then keeps no `_`.
    monkeypatch.delattr("builtins._", raising=False)
    yield one_shell
    extension.unload_ipython_extension(one_shell)
    one_shell.config.pop("LLMMagics", None)  # IPython keeps what `%config` said


@pytest.fixture
def shell(bare_shell):
    extension.load_ipython_extension(bare_shell)
    extension.settings(bare_shell).backend = Backend()
    return bare_shell


def state(shell):
    """Everything that the extension touches."""
    formatter = shell.display_formatter.ipython_display_formatter
    plain = shell.display_formatter.formatters["text/plain"]
    return {
        "magics": {kind: dict(table) for kind, table in shell.magics_manager.magics.items()},
        "transformers": list(shell.input_transformers_cleanup),
        "matchers": list(shell.Completer.custom_matchers),
        "configurables": list(shell.configurables),
        "hook": shell.display_trap.hook,
        "formatters": (dict(formatter.deferred_printers), dict(formatter.type_printers)),
        "plain": dict(plain.deferred_printers),
    }


def value(shell, code):
    result = shell.run_cell(code)
    result.raise_error()
    return result.result


def test_unloading_restores_everything(bare_shell):
    before = state(bare_shell)
    extension.load_ipython_extension(bare_shell)
    assert state(bare_shell) != before
    extension.unload_ipython_extension(bare_shell)
    assert state(bare_shell) == before


def test_unloading_after_use_restores_everything(shell):
    value(shell, "%%llm\nhi")
    shell.display_formatter.format(Response(Request("p"), "text"))
    extension.unload_ipython_extension(shell)
    after = state(shell)
    assert not {"llm", "mm"} & (after["magics"]["cell"].keys() | after["magics"]["line"].keys())
    assert Response not in after["formatters"][1]


def test_responses_in_a_list_are_a_short_line_each(shell):
    answers = [Response(Request("p"), "word " * 40), Response(Request("p"), "", error=ValueError())]
    bundle, _ = shell.display_formatter.format(answers)
    lines = bundle["text/plain"].splitlines()
    assert [len(line) < 100 for line in lines] == [True, True]
    assert lines[0].startswith("[Response('word word")
    assert "ValueError" in lines[1]
    extension.unload_ipython_extension(shell)
    assert "Request(" in shell.display_formatter.format(answers)[0]["text/plain"]


def test_loading_twice_changes_nothing(shell):
    before = state(shell)
    extension.load_ipython_extension(shell)
    assert state(shell) == before


def test_a_foreign_llm_magic_stays_and_ours_is_mm(bare_shell):
    def foreign(line, cell=None):
        return "foreign"

    bare_shell.register_magic_function(foreign, "line_cell", "llm")
    with pytest.warns(UserWarning, match="%%llm belongs to .*; multimodel_magic answers to %%mm"):
        extension.load_ipython_extension(bare_shell)
    extension.settings(bare_shell).backend = Backend()
    assert value(bare_shell, "%%llm\nhi") == "foreign"
    assert value(bare_shell, "%llm what?") == "foreign"
    assert value(bare_shell, "%%mm\nhi") == ("blocking", "", "hi\n")
    extension.unload_ipython_extension(bare_shell)
    assert bare_shell.magics_manager.magics["cell"].pop("llm") is foreign
    del bare_shell.magics_manager.magics["line"]["llm"]


def test_a_magic_registered_after_ours_survives_our_unloading(shell):
    def foreign(line, cell=None):
        return "foreign"

    shell.register_magic_function(foreign, "line_cell", "llm")
    extension.unload_ipython_extension(shell)
    assert shell.magics_manager.magics["cell"].pop("llm") is foreign
    del shell.magics_manager.magics["line"]["llm"]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("%%llm fast\nHi $x {y}, what?", ("blocking", "fast", "Hi $x {y}, what?\n")),
        ("%%llm\n>>> 1 + 1\n... x\n", ("blocking", "", ">>> 1 + 1\n... x\n")),
        ("\n%%mm\tfast\nhi\r\nyou", ("blocking", "fast", "hi\r\nyou\n")),
        ("%llm what is this?", ("line", "what is this?", None)),
        ("%llm what's $x {x}??", ("line", "what's $x {x}??", None)),
        ("%llm", ("line", "", None)),
        ("x = %llm what is this?\nx", ("line", "what is this?", None)),
        ("%llm explain f(\n%llm more?", ("line", "more?", None)),
        ("def f(q):\n    y = %llm ask {{q}}?\n    return y\nf(1)", ("line", "ask {{q}}?", 1)),
        ("s = '''\n%llm inside?\n'''\ns", "\n%llm inside?\n"),
        ("%%time\n%%llm\nhi", ("blocking", "", "hi\n")),
    ],
)
def test_the_magic_gets_what_was_typed(shell, code, expected, capsys):
    shell.user_ns.update(x="expanded", y="expanded")
    assert value(shell, code) == expected


def test_a_response_as_a_cells_value_is_shown_by_the_backend(shell):
    response = Response(Request("p"), "text")
    assert shell.display_formatter.format(response) == ({}, {})
    assert extension.settings(shell).backend.shown == [response]


def test_a_terminal_shows_no_empty_out_prompt(shell, capsys):
    response = Response(Request("p"), "text")
    shell.user_ns["r"] = response
    assert value(shell, "r") is response
    assert capsys.readouterr().out == ""
    assert extension.settings(shell).backend.shown == [response]
    assert shell.user_ns["_"] is response
    assert value(shell, "1 + 1") == 2
    assert "Out[" in capsys.readouterr().out


def test_a_terminal_waits_for_the_cells_end(shell):
    assert shell.check_complete("%%llm fast\nhi")[0] == "incomplete"
    assert shell.check_complete("%%llm fast\nhi\n\n")[0] == "complete"


def test_settings_are_checked(shell):
    value(shell, "%config LLMMagics.strategy = 'complexity'")
    assert extension.settings(shell).strategy == "complexity"
    with pytest.raises(TraitError, match="aliases"):
        extension.settings(shell).aliases = {"mine": 3}
    with pytest.raises(LookupError):
        extension.settings(SimpleNamespace(configurables=[]))


@pytest.mark.parametrize(
    ("name", "slip", "nearest"),
    [
        ("strategy", "complexty", "complexity"),
        ("strategy", "zzz", "complexity, cost"),
        ("format", "markdwn", "markdown"),
        ("cache", "of", "off"),
        ("event_loop", "kernl", "kernel"),
    ],
)
def test_a_setting_that_is_none_is_refused_at_once_with_the_nearest(shell, name, slip, nearest):
    settings = extension.settings(shell)
    before = getattr(settings, name)
    value(shell, f"%config LLMMagics.{name} = {slip!r}")  # IPython logs what is refused
    assert getattr(settings, name) == before
    with pytest.raises(TraitError, match=f"{name} cannot be '{slip}'.*{nearest}"):
        setattr(settings, name, slip)


def test_what_was_refused_keeps_the_extension_from_no_reload(shell, recwarn):
    value(shell, "%config LLMMagics.format = 'markdwn'")
    extension.unload_ipython_extension(shell)
    extension.load_ipython_extension(shell)
    (said,) = (str(one.message) for one in recwarn)
    assert said.startswith("LLMMagics.format cannot be 'markdwn'; did you mean 'markdown'?")
    assert extension.settings(shell).format == "auto"


@pytest.mark.parametrize("name", ["%llm", "%%llm", "%mm", "%%mm"])
def test_help_is_the_manual(shell, name):
    assert "--max-tokens" in shell.object_inspect_text(name)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["%%llm?\n"], ["%%llm?\n"]),
        (["%%llm??\n", "a body\n"], ["%%llm?\n"]),
        (["??%llm\n"], ["%llm?\n"]),
        (["%llmx what?\n"], ["%llmx what?\n"]),
        (["%%time\n", "%llm what?\n"], ["%%time\n", "%llm what?\n"]),
        (["x = [\n", "%llm what?\n", "]\n"], ["x = [\n", "%llm what?\n", "]\n"]),
        (["%llm a \\\n", "%llm b\n"], ["%llm a \\\n", "%llm b\n"]),
        (
            ["!echo 'it\n", "%llm b\n"],
            ["!echo 'it\n", "get_ipython().run_line_magic('llm', 'b')\n"],
        ),
        (["# it's (\n", "%llm b\n"], ["# it's (\n", "get_ipython().run_line_magic('llm', 'b')\n"]),
        (["d['k'] = %mm b?\n"], ["d['k'] = get_ipython().run_line_magic('mm', 'b?')\n"]),
        (["%%llm\n", "  \n"], ["get_ipython().run_cell_magic('llm', '', '  \\n')\n"]),
    ],
)
def test_only_our_magics_are_rewritten(lines, expected):
    assert transform(lines, awaited=lambda name: False) == expected


def test_hosting_reads_what_the_front_end_sends():
    parent = {"metadata": {"cellId": "c1"}}
    kernel = SimpleNamespace(kernel=1, user_ns={}, get_parent=lambda: parent)
    assert hosting.host(kernel) == "kernel"
    assert hosting.host(SimpleNamespace()) == "terminal"
    assert hosting.cell_id(kernel) == "c1"
    assert hosting.notebook(kernel, {"JPY_SESSION_NAME": "/home/a/n.ipynb"}) == "/home/a/n.ipynb"
    assert hosting.labels(kernel, {"JPY_SESSION_NAME": "/home/a/n.ipynb"}) == {
        "notebook": "n.ipynb",
        "cell": "c1",
    }
    parent["metadata"] = None  # a front end may say so
    assert hosting.cell_id(kernel) is None
    assert hosting.streaming(kernel, {})
    assert hosting.streaming(kernel, {"MULTIMODEL_NO_STREAM": "0"})
    assert not hosting.streaming(kernel, {"MULTIMODEL_NO_STREAM": "1"})
    assert not hosting.streaming(kernel, {"PYTEST_CURRENT_TEST": "a/n.ipynb::Cell 0 (setup)"})
    assert not hosting.streaming(SimpleNamespace(), {})


# --- a real kernel


class Kernel:
    """Runs cells and gives back what a front end sees."""

    def __init__(self, client):
        self.client = client

    def run(self, code):
        seen = []
        reply = self.client.execute_interactive(code, timeout=60, output_hook=seen.append)
        self.payload = reply["content"].get("payload", [])
        texts = [
            message["content"].get("text") or message["content"]["data"]["text/plain"]
            for message in seen
            if message["msg_type"] in ("stream", "execute_result", "display_data")
        ]
        return reply["content"]["status"], "".join(texts).strip()

    def complete(self, code):
        message_id = self.client.complete(code)
        while True:
            reply = self.client.get_shell_msg(timeout=60)
            if reply["parent_header"]["msg_id"] == message_id:
                return reply["content"]["matches"]


@contextlib.contextmanager
def started():
    manager = KernelManager()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # jupyter_client's own, about its transport
        manager.start_kernel()
        client = manager.blocking_client()
        client.start_channels()
        client.wait_for_ready(timeout=60)
        try:
            yield Kernel(client)
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
            manager.context.destroy()


@pytest.fixture(scope="module")
def fresh_load():
    """A kernel, and what loading the extension cost in it."""
    measure = """
import sys
before = set(sys.modules)
get_ipython().run_line_magic("load_ext", "multimodel_magic")
print(*sorted(set(sys.modules) - before))
"""
    with started() as kernel:
        modules = kernel.run(measure)[1].split()
        kernel.run(FAKE)
        yield kernel, modules


@pytest.fixture
def kernel(fresh_load):
    return fresh_load[0]


def test_loading_is_nearly_free(fresh_load):
    _, modules = fresh_load  # its CPU time is measured by `make bench`
    assert len(modules) <= MOST_MODULES, modules
    heavy = {"anthropic", "openai", "ollama", "pandas", "matplotlib", "ipywidgets", "pydantic"}
    heavy |= {"jinja2", "sqlalchemy", "numpy", "genai_prices", "httpx", "httpx2"}
    assert not heavy & {name.split(".")[0] for name in modules}
    assert [name for name in modules if name.startswith("multimodel_magic.")] == [
        "multimodel_magic.notebook",
        "multimodel_magic.notebook.extension",
    ]


def test_a_top_level_cell_is_awaited(kernel):
    assert kernel.run("%%llm fast\nhi?") == ("ok", "('awaited', 'fast', 'hi?\\n')")


@pytest.mark.parametrize(
    "code",
    [
        "%%capture --no-display seen\n%%llm\nhi",
        "r = get_ipython().run_cell('%%llm\\nhi').result; r",
        "%autoawait off\nprint()\n",
    ],
)
def test_a_nested_cell_is_not_awaited(kernel, code):
    status, text = kernel.run(code)
    assert status == "ok"
    assert "awaited" not in text


def test_without_autoawait_the_magic_blocks(kernel):
    kernel.run("%autoawait off")
    assert kernel.run("%%llm\nhi") == ("ok", "('blocking', '', 'hi\\n')")
    kernel.run("%autoawait asyncio")
    assert kernel.run("%%llm\nhi") == ("ok", "('awaited', '', 'hi\\n')")


def test_a_long_paste_arrives_byte_for_byte(kernel):
    paste = "%%llm\n" + "\\n \u2028 \x0c \t {\"a\": '''1'''} $x$ {% raw %} `x`?\r\n" * 5000
    kernel.client.execute_interactive("import hashlib")
    kernel.run(paste)
    status, digest = kernel.run("hashlib.sha256(_[2].encode()).hexdigest()")
    expected = __import__("hashlib").sha256(paste.removeprefix("%%llm\n").encode()).hexdigest()
    assert (status, digest.strip("'")) == ("ok", expected)


def test_completion_reaches_the_front_end(kernel):
    assert kernel.complete("%%llm -s com") == ["complexity"]
    assert kernel.complete("x = %llm --no-str") == ["--no-stream"]
    assert kernel.complete("%%llm\nimp") == []
    assert "import" in kernel.complete("imp")


def test_help_reaches_the_front_end(kernel):
    for code in ("%%llm?", "%llm??", "?%mm"):
        kernel.run(code)
        assert "--max-tokens" in kernel.payload[0]["data"]["text/plain"]


def test_reloading_works(kernel):
    kernel.run("%reload_ext multimodel_magic\n" + FAKE)
    assert kernel.run("%%llm\nhi") == ("ok", "('awaited', '', 'hi\\n')")
    assert kernel.run("len([t for t in get_ipython().input_transformers_cleanup "
                      "if t.__module__.startswith('multimodel')])") == ("ok", "1")  # fmt: skip


def test_nested_asyncio_is_patched_on_demand(kernel):
    code = """
import asyncio, sys
from multimodel_magic.notebook.hosting import enable_nested_asyncio
before = "nest_asyncio" in sys.modules
enable_nested_asyncio()
async def answer(): return 42
(before, asyncio.get_running_loop().run_until_complete(answer()))
"""
    assert kernel.run(code) == ("ok", "(False, 42)")
