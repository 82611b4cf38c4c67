"""A replay as a cell's value."""


def test_a_replay_from_code_is_shown_as_the_line_shows_it(kernel):
    kernel.run("%%llm scripted:answers\nHello")
    by_line = kernel.run("%llm replay fixed --named")
    by_code = kernel.run("multimodel_magic.llm.replay('fixed', named=True)")
    assert by_line.status == by_code.status == "ok"
    assert "Replay of fixed" in by_code.text
    assert by_code.text == by_line.text
    assert "Compared(" not in by_code.text
