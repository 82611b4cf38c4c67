"""`%llm ab` as a person reads it."""

from dataclasses import replace

import pytest

from multimodel_magic.errors import UsageError
from multimodel_magic.experiments import analyze
from multimodel_magic.experiments.store import Assigned
from multimodel_magic.notebook import arms


class Books:
    """A session that has these rows."""

    config = None

    def __init__(self, rows):
        self._rows = rows

    def experiment(self, name):
        return analyze(name, [row for row in self._rows if row.experiment == name])


def rows(cost_usd, latency_s):
    return [
        Assigned(f"{n}", "e", arm, f"x:{arm}", 0.5, f"{n}", f"x:{arm}", True, cost_usd, latency_s)
        for n, arm in enumerate(["control", "treatment"] * 2)
    ]


def line(report, arm):
    return next(line for line in str(report).splitlines() if line.startswith(arm)).split()


def test_small_costs_and_latencies_are_written_as_numbers_that_can_be_compared():
    shown = arms.arms(Books(rows(3.2123e-05, 0.0004)), "e")
    assert line(shown, "treatment")[:8] == [
        *("treatment", "x:treatment", "2", "2", "100.0%", "unknown", "$0.0000321", "0.4"),
    ]
    assert "e-05" not in str(shown)
    shown = arms.arms(Books(rows(1234.5, 61.2)), "e")
    assert {"$1,234.50", "61.20"} <= set(line(shown, "control"))


def test_what_nobody_knows_is_unknown():
    shown = arms.arms(Books(rows(None, None)), "e")
    assert line(shown, "control")[5:8] == ["unknown", "unknown", "unknown"]


def test_requests_that_asked_nobody_are_counted_apart():
    first, *others = rows(0.01, 1.0)
    stopped = replace(first, succeeded=None, cost_usd=None, asked_nobody=True)
    shown = str(arms.arms(Books([stopped, *others]), "e"))
    assert "units  asked nobody  success" in shown
    assert line(shown, "control")[2:6] == ["2", "2", "1", "100.0%"]
    assert "asked nobody" not in str(arms.arms(Books(rows(0.01, 1.0)), "e"))


def test_ones_own_measures_are_shown_as_means_of_each_arm():
    said = ({"grounded": 0.0}, {"grounded": 0.25, "words": 9.0}, {"grounded": 0.5}, {"score": 1.0})
    judged = [replace(row, outcome=one) for row, one in zip(rows(0.01, 1.0), said, strict=True)]
    shown = str(arms.arms(Books(judged), "e"))
    assert "answered as dealt  mean grounded  mean words" in shown
    assert line(shown, "control")[-2:] == ["0.25", "unknown"]
    assert line(shown, "treatment")[-2:] == ["0.25", "9"]
    assert "answered as dealt\n" in str(arms.arms(Books(rows(0.01, 1.0)), "e"))


def test_an_experiment_that_nobody_was_dealt_to_is_one_line():
    with pytest.raises(UsageError, match="no request was dealt to an experiment called 'f'"):
        arms.arms(Books(rows(1.0, 1.0)), "f")
    with pytest.raises(UsageError, match="which experiment"):
        arms.arms(Books([]), "")
