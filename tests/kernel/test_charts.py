"""Charts as outputs of cells: shown once, with their words, whether from a line or from Python."""


def test_a_chart_from_python_is_shown_as_the_line_shows_it(kernel):
    kernel.run("%%llm scripted:answers\nHello")
    by_line = kernel.run("%llm plot tokens")
    by_code = kernel.run("axes = multimodel_magic.llm.plot.tokens()")
    ((line, _),), ((code, _),) = by_line.shown, by_code.shown
    assert by_line.status == by_code.status == "ok"
    assert set(code) == set(line) == {"text/plain", "text/html"}
    assert code["text/plain"] == line["text/plain"]
    assert 'alt="Tokens by model (n = ' in code["text/html"]


def test_an_unknown_kind_of_chart_is_said_in_one_line(kernel):
    ran = kernel.run("%llm plot latencies")
    assert ran.status == "error"
    assert "did you mean 'latency'?" in "".join(ran.traceback)
    assert len("".join(ran.traceback).splitlines()) == 1
