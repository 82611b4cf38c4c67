"""Plain IPython in a pseudo-terminal: what is waited for stands in one line, gone at the end."""

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

import pytest

SETUP = (
    "%load_ext multimodel_magic\n"
    "from IPython.utils.capture import capture_output\n"
    "from multimodel_magic import llm; from multimodel_magic.errors import RateLimited\n"
    "from multimodel_magic.providers.scripted import Fail, Say, ScriptedProvider, Wait\n"
    "llm.client.providers['s'] = ScriptedProvider({'slow': [[Wait(2.5), Say('The answer.')]],"
    " 'busy': [[Fail(RateLimited('no', retry_after_s=2))], [Say('At last.')]],"
    " 'quick': [[Say('At once.')]]}, name='s')\n"
)
OVER = b"\r\x1b[K"
DOING = {"choosing a model", "asking s:slow", "s:slow answers"}


class Terminal:
    """A pseudo-terminal of 60 columns with IPython in it, that reads lines from its input."""

    def __init__(self, folder):
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            known = {"IPYTHONDIR": str(folder), "MULTIMODEL_LEDGER": ":memory:", "TERM": "xterm"}
            os.environ.pop("PYTEST_CURRENT_TEST", None)
            os.environ.update(known)
            plain = ["--simple-prompt", "--no-banner", "--colors=NoColor"]
            os.execv(sys.executable, [sys.executable, "-m", "IPython", *plain])  # noqa: S606
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 60, 0, 0))
        self.gap_s = 0.0
        """The longest silence while `until` waited."""

    def send(self, text):
        os.write(self._fd, text.encode())

    def until(self, mark, most_s=60.0):
        """Return what is shown up to and with `mark`."""
        shown, begun_s = b"", time.monotonic()
        last_s, self.gap_s = begun_s, 0.0
        while mark not in shown:
            assert time.monotonic() - begun_s < most_s, shown
            if select.select([self._fd], [], [], 0.1)[0]:
                shown += os.read(self._fd, 65536)
                now_s = time.monotonic()
                self.gap_s, last_s = max(self.gap_s, now_s - last_s), now_s
        return shown

    def run(self, code, mark):
        """Run a line and return what is shown after its echo, up to and with `mark`."""
        self.send(code + "\n")
        self.until(code.encode()[-12:])
        return self.until(mark)


@pytest.fixture(scope="module")
def terminal(tmp_path_factory):
    terminal = Terminal(tmp_path_factory.mktemp("ipython"))
    terminal.until(b"In [1]:")
    for line in SETUP.splitlines():
        terminal.send(line + "\n")
    terminal.run("print('rea' + 'dy')", b"ready")
    yield terminal
    os.kill(terminal.pid, signal.SIGKILL)
    os.waitpid(terminal.pid, 0)


def test_a_wait_is_told_every_second_in_one_line_that_is_gone_before_the_answer(terminal):
    shown = terminal.run("%llm -m s:slow hi", b"The answer.")
    assert terminal.gap_s < 2  # of 2.5 s; told four times a second
    written = shown.split(OVER)[1:]
    assert len(written) > 5
    assert max(len(one.decode()) for one in written[:-1]) < 60
    assert {one.decode().partition(" · ")[0] for one in written[:-1]} <= DOING
    assert written[-1].startswith(b"The answer."), "the line was taken back"


def test_a_retry_says_for_whom_and_how_long_it_waits(terminal):
    shown = terminal.run("%llm -m s:busy hi", b"At last.")
    assert b"s:busy: RateLimited; asking it in 2.0 s" in shown
    assert b"s to go" in shown


def test_an_interrupt_takes_the_line_back(terminal):
    terminal.send("%llm -m s:slow hi\n")
    terminal.until(b"asking s:slow")
    terminal.send("\x03")
    shown = terminal.until(b"Cancelled: interrupted")
    assert b"asking" not in shown.split(OVER)[-1].split(b"Cancelled: ")[0]


NOT_STREAMED = (
    "import os; os.environ['MULTIMODEL_NO_STREAM'] = '1'\n%llm -m s:slow hi\n"
    "del os.environ['MULTIMODEL_NO_STREAM']"
)
CAPTURED = "with capture_output() as c: _ = get_ipython().run_line_magic('llm', '-m s:slow hi')\n"


@pytest.mark.parametrize("code", ["%llm -m s:quick hi", CAPTURED, NOT_STREAMED])
def test_nothing_is_written_over_where_nothing_is_waited_for_or_seen(terminal, code):
    terminal.send(f"{code}\nprint([c.stderr] if 'c' in dir() else '', 'it is', 'over')\n")
    shown = terminal.until(b"it is over")
    assert OVER not in shown
    assert b"asking" not in shown
