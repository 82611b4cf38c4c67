"""`Ledger`: hands responses to a thread that writes them, and reads them back as frames."""

from __future__ import annotations

import atexit
import logging
import os
import weakref
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from multimodel_magic.bridge import Worker
from multimodel_magic.errors import Misconfigured
from multimodel_magic.ledger.address import anchored, default_address, without_password
from multimodel_magic.ledger.begun import Begun, remove_unfinished
from multimodel_magic.ledger.faults import faults, in_one_line
from multimodel_magic.ledger.keeper import IDLE_S
from multimodel_magic.ledger.recording import recorded
from multimodel_magic.ledger.rows import AttemptRow, OutcomeRow, Recorded, RequestRow, Row, VoteRow
from multimodel_magic.ledger.said import Said
from multimodel_magic.types import Response

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy import Connection

    from multimodel_magic.ledger.database import Database
    from multimodel_magic.ledger.since import Since
    from multimodel_magic.metrics.tally import Totals

__all__ = ["Ledger"]

_log = logging.getLogger("multimodel_magic.ledger")

MOST_KEPT = 10_000
"""How many responses are kept in memory while they cannot be written."""

TRANSACTION = 2_000
"""How many responses are written at a time, so that other processes get their turn."""

WATCHED_AFTER_S = 0.25
"""How long a request must be under way to be written before its end."""

T = TypeVar("T")
_Item: TypeAlias = "tuple[Response, bool] | Callable[[], None]"


class Ledger:
    """The append-only record of requests and attempts, what came of them, and votes on them.

    Parameters
    ----------
    url
        A path, `:memory:`, or an SQLAlchemy URL. Default: the environment's `MULTIMODEL_LEDGER`,
        else `ledger.db` in the user's data folder.
    store_text
        Whether prompts and answers are kept; may be changed at any time.
    read_only
        Write nothing: what is recorded is kept in memory for this process only.

    Notes
    -----
    Nothing that the database does can fail a call: what cannot be written (a full disk, a
    read-only folder, a corrupt file) is said once through `logging`, kept in memory (the last
    10,000 responses), shown in the frames, and tried again with the next response or reading.
    One thread at a time has the connection, so `:memory:` can be shared by threads; it begins with
    the first use and ends with `close`, or a second after the last use. A forked or pickled ledger
    opens its own connection; one in memory starts empty there.
    """

    def __init__(
        self, url: str | Path | None = None, *, store_text: bool = True, read_only: bool = False
    ) -> None:
        self.store_text = store_text
        self._address = anchored(str(url) if url is not None else default_address())
        self._read_only = read_only
        self._past: list[object] = []
        self._start()
        _ledgers.add(self)

    def __repr__(self) -> str:
        return f"Ledger({without_password(self._address)!r})"

    def __reduce__(self) -> tuple[Callable[..., Ledger], tuple[str, bool, bool]]:
        return _reopened, (self._address, self.store_text, self._read_only)

    def _start(self) -> None:
        self._worker: Worker[_Item] = Worker(
            self._work, name="multimodel-magic-ledger", idle_s=IDLE_S
        )
        self._watch: Worker[str] = Worker(
            self._look_after,
            name="multimodel-magic-ledger-watch",
            linger_s=WATCHED_AFTER_S,
            idle_s=IDLE_S,
        )
        self._kept: deque[Recorded] = deque()
        self._under_way: dict[str, Begun] = {}
        self._unfinished: set[str] = set()
        self._said = Said()
        self._database: Database | None = None
        self._trouble: str | None = None

    def _start_over(self) -> None:
        # In a forked child. The parent's connection must be neither used nor closed here.
        self._past.append((self._worker, self._database))
        self._start()

    @property
    def trouble(self) -> str | None:
        """What keeps the ledger from being written or read at present, in one line."""
        return self._trouble

    # --- recording

    def record(self, response: Response) -> None:
        """Keep the response and all its attempts; returns at once and never fails."""
        self._under_way.pop(response.request.request_id, None)
        self._worker.put((response, self.store_text))

    def begin(self, request_id: str, so_far: Callable[[], Response]) -> None:
        """Keep a request that is under way as `unfinished`, should the process die before its end.

        Returns at once. What is recorded within the next quarter of a second is written once only.

        Parameters
        ----------
        so_far
            Returns the response as it stands, with an attempt under way; called in a thread.
        """
        self._under_way[request_id] = Begun(request_id, so_far, self.store_text)
        self._watch.put(request_id)

    def keep_outcome(self, request_id: str, outcome: Mapping[str, float]) -> None:
        """Add to the outcome of a request, name by name; returns at once and never fails.

        See `experiments.record_outcome`, which checks.
        """
        from multimodel_magic.ledger.outcomes import outcome_row

        row = outcome_row(request_id, outcome)
        self._worker.put(lambda: self._take(row))

    def keep_vote(self, row: VoteRow) -> None:
        """Add a vote, unless one of that id is there; returns at once and never fails."""
        self._worker.put(lambda: self._take(row))

    def add(
        self,
        rows: Sequence[Recorded],
        outcomes: Sequence[OutcomeRow] = (),
        votes: Sequence[VoteRow] = (),
    ) -> None:
        """Write rows that another ledger recorded, and wait until they are there.

        A request or a vote that is there already stays as it is; an outcome replaces that of its
        request.

        Raises
        ------
        Misconfigured
            Where the ledger is read-only or cannot be written; it may hold a part of them then.
        """
        if self._read_only:
            raise Misconfigured(f"{self!r} is read-only")
        written: list[bool] = []

        def errand() -> None:
            with self._surviving("write"):
                self._write_added(rows, outcomes, votes)
                written.append(True)

        self._do(errand)
        if not written:
            raise Misconfigured(self._trouble or f"cannot write {self!r}")

    def _write_added(
        self, rows: Sequence[Recorded], outcomes: Sequence[OutcomeRow], votes: Sequence[VoteRow]
    ) -> None:
        from multimodel_magic.ledger.outcomes import keep
        from multimodel_magic.ledger.votes import add

        for start in range(0, len(rows), TRANSACTION):
            self._opened().write(rows[start : start + TRANSACTION])
        self._opened().change(lambda connection: keep(connection, outcomes))
        self._opened().change(lambda connection: add(connection, votes))

    def flush(self) -> None:
        """Wait until everything recorded so far is written, or has been tried to."""
        self._do(lambda: None)

    def close(self) -> None:
        """Write what is left and close the database; a later use opens it again."""
        self._watch.stop()
        self._do(self._close)
        self._worker.stop()

    def _close(self) -> None:
        if self._database is not None:
            with self._surviving("close"):
                self._database.close(for_good=True)

    def _leave(self) -> None:
        if self._database is not None:
            self.close()

    # --- reading

    def requests_frame(
        self, session: str | None = None, since: Since | None = None
    ) -> pd.DataFrame:
        """Return the requests, oldest first, one a row.

        Parameters
        ----------
        session
            Only those with this label `session`.
        since
            Only those that started at this moment or later, or so long ago at most.

        Returns
        -------
        DataFrame
            With the fields of `RequestRow` as columns; the same columns and dtypes when empty.
        """
        return self._frame(RequestRow, session, since)

    def attempts_frame(
        self, session: str | None = None, since: Since | None = None
    ) -> pd.DataFrame:
        """Return the attempts of the requests that `requests_frame` would give.

        Returns
        -------
        DataFrame
            With the fields of `AttemptRow` as columns; the same columns and dtypes when empty.
        """
        return self._frame(AttemptRow, session, since)

    def outcomes_frame(self) -> pd.DataFrame:
        """Return what came of requests, in the order in which it was last said.

        Returns
        -------
        DataFrame
            `request_id` and `outcome` (JSON: all numbers by name), dtype `string`; `recorded_at`,
            `datetime64[us, UTC]`; `success` (0 or 1) and `score` of the outcome, `float64`, NaN
            where it has none; then each measure of one's own, by name, alike. The same columns
            and dtypes when empty. Merge on `request_id`.
        """
        from multimodel_magic.ledger import outcomes

        found, _ = self._ask(outcomes.all_outcomes)
        return outcomes.as_frame(self._said.outcomes(found or {}))

    def votes(
        self, *, session: str | None = None, comparison: str | None = None, replaced: bool = False
    ) -> tuple[VoteRow, ...]:
        """Return the votes, oldest first.

        Those that stand: of each judge, and of the person, the last on each comparison; with
        `replaced` all that were ever given.
        """
        from multimodel_magic.ledger import votes

        found, _ = self._ask(lambda c: votes.votes(c, session=session, comparison=comparison))
        every = self._said.votes(found or (), session=session, comparison=comparison)
        return every if replaced else votes.standing(every)

    def votes_frame(self, session: str | None = None) -> pd.DataFrame:
        """Return the votes that stand, oldest first, one a row.

        Returns
        -------
        DataFrame
            With the fields of `VoteRow` as columns, and before `preferred` the `winner`'s name;
            the same columns and dtypes when empty.
        """
        from multimodel_magic.ledger.votes import as_frame

        return as_frame(self.votes(session=session))

    def answered_by(self, request_ids: Collection[str]) -> Mapping[str, str]:
        """Return who answered, `provider:model`, by id of those requests that were answered."""
        from multimodel_magic.ledger import votes

        found, kept = self._ask(lambda connection: votes.answered_by(connection, request_ids))
        rows = [k.request for k in kept if k.request.request_id in request_ids]
        ours = {r.request_id: f"{r.provider}:{r.model}" for r in rows if r.status == "answered"}
        return {**(found or {}), **ours}

    def dealt(self, experiment: str) -> list[tuple[RequestRow, Mapping[str, float]]]:
        """Return the requests that were dealt in an experiment, each with its outcome."""
        from multimodel_magic.ledger import outcomes

        found, kept = self._ask(lambda connection: outcomes.dealt(connection, experiment))
        ours = [k.request for k in kept if outcomes.is_of(k.request.arm, experiment)]
        rows = [*(found or ()), *((row, None) for row in ours)]
        return [(row, outcomes.numbers(self._said.outcome(row.request_id, at))) for row, at in rows]

    def dealt_request(self, request_id: str) -> tuple[RequestRow, Mapping[str, float]] | None:
        """Return one request with its outcome, or None."""
        from multimodel_magic.ledger import outcomes

        found, kept = self._ask(lambda connection: outcomes.of_request(connection, request_id))
        row, said = found or (None, None)
        row = next((k.request for k in kept if k.request.request_id == request_id), row)
        said = self._said.outcome(request_id, said)
        return None if row is None else (row, outcomes.numbers(said))

    def request(self, request_id: str) -> Recorded | None:
        """Return the request of that id with its attempts; None where there is none."""
        from multimodel_magic.ledger import queries

        found, kept = self._ask(lambda connection: queries.by_id(connection, request_id))
        return next((k for k in kept if k.request.request_id == request_id), None) or found

    def last(self, n: int = 1, *, session: str | None = None) -> tuple[Recorded, ...]:
        """Return the last `n` requests with their attempts, newest first."""
        from multimodel_magic.ledger import queries

        found, kept = self._ask(lambda connection: queries.newest(connection, n, session))
        ours = [k for k in kept if session in (None, k.request.session)]
        rows = sorted([*(found or ()), *ours], key=lambda k: k.request.started_at)
        return tuple(reversed(rows[-n:])) if n > 0 else ()

    def _frame(self, row: type[Row], session: str | None, since: Since | None) -> pd.DataFrame:
        from multimodel_magic.ledger import queries, reading
        from multimodel_magic.ledger.since import start_of

        start = start_of(since)
        found, kept = self._look(partial(reading.found, row=row, session=session, start=start))
        ours = [k for k in kept if queries.is_within(k, session=session, start=start)]
        return reading.framed(row, () if found is None else found, ours)

    def totals(self) -> Totals:
        """Count all requests of the ledger and their attempts: what summaries are made from.

        Some milliseconds at a million requests, where `requests_frame` takes a second.
        """
        from multimodel_magic.ledger import reading
        from multimodel_magic.ledger.segments import sum_of
        from multimodel_magic.metrics.tally import totals_of

        found, kept = self._look(reading.totals)
        requests = [k.request._asdict() for k in kept]
        ours = totals_of(requests, [a._asdict() for k in kept for a in k.attempts])
        return sum_of([ours] if found is None else [found, ours])

    def _ask(self, query: Callable[[Connection], T]) -> tuple[T | None, list[Recorded]]:
        """Return what the database says (None where it cannot) and what is not written yet."""
        return self._look(lambda database: database.read(query))

    def _look(self, ask: Callable[[Database], T]) -> tuple[T | None, list[Recorded]]:
        answers: list[T] = []
        kept: list[Recorded] = []

        def look() -> None:
            with self._surviving("read"):
                answers.append(ask(self._opened()))
            kept.extend(self._kept)

        self._do(look)
        return (answers[0] if answers else None), kept

    # --- in the thread

    def _do(self, errand: Callable[[], None]) -> None:
        """Run `errand` in the thread, after all that was recorded before, and wait for it."""
        self._worker.put(errand)
        while not self._worker.flush():
            continue  # It gives up after a minute; the database may be busy for longer.

    def _work(self, batch: list[_Item]) -> None:
        for item in batch:
            if isinstance(item, tuple):
                self._keep(*item)
        if self._kept or self._said:
            self._try_to_write()
        # Not before: a burst may be larger than what is kept of it when nothing can be written.
        while len(self._kept) > MOST_KEPT:
            self._kept.popleft()
        for item in batch:
            if not isinstance(item, tuple):
                item()

    def _keep(self, response: Response, store_text: bool) -> None:  # noqa: FBT001 - from the queue
        try:
            self._kept.append(recorded(response, store_text=store_text))
        except faults() as error:
            self._say(f"cannot record {response.request_id}: {in_one_line(error)}")

    def _take(self, row: OutcomeRow | VoteRow) -> None:
        self._said.take(row)
        self._try_to_write()

    def _try_to_write(self) -> None:
        if not self._read_only:
            with self._surviving("write"):
                self._write()

    def _write(self) -> None:
        while self._kept:
            part = list(islice(self._kept, TRANSACTION))
            ended = self._unfinished.intersection(row.request.request_id for row in part)
            refused = self._opened().write(part, first=_removing(ended))
            self._unfinished -= ended
            for _ in part:
                self._kept.popleft()
            if refused:
                ids = [row.request.request_id for row in refused]
                _log.error("%r takes no row for %s", self, ", ".join(ids))
        if self._said:
            self._opened().change(self._said.write)
            self._said.clear()
        self._trouble = None

    def _look_after(self, request_ids: list[str]) -> None:
        """Have what is still under way written; in a thread of its own, for it waits."""
        begun = [one for i in request_ids if (one := self._under_way.get(i)) is not None]
        if begun and not self._read_only:
            self._worker.put(lambda: self._keep_begun(begun))

    def _keep_begun(self, begun: list[Begun]) -> None:
        still = {one.request_id: one for one in begun if one.request_id in self._under_way}
        if still:
            with self._surviving("write"):
                self._write_begun([one.recorded() for one in still.values()])

    def _write_begun(self, rows: list[Recorded]) -> None:
        ids = {row.request.request_id for row in rows}
        known = ids & self._unfinished
        self._unfinished |= ids
        self._opened().write(rows, first=_removing(known))

    def _opened(self) -> Database:
        from multimodel_magic.ledger.database import Database

        if self._database is None:
            self._database = Database(self._address, read_only=self._read_only)
        return self._database

    @contextmanager
    def _surviving(self, what: str) -> Iterator[None]:
        try:
            yield
        except faults() as error:
            self._say(f"cannot {what} {self!r}: {in_one_line(error)}")
            if self._database is not None:
                self._database.drop()

    def _say(self, trouble: str) -> None:
        known, self._trouble = self._trouble, trouble
        if known is None:
            _log.warning("%s; calls go on, this session's rows are kept in memory", trouble)


def _removing(request_ids: Collection[str]) -> Callable[[Connection], None] | None:
    return partial(remove_unfinished, request_ids=request_ids) if request_ids else None


def _reopened(address: str, store_text: bool, read_only: bool) -> Ledger:  # noqa: FBT001 - pickle's
    return Ledger(address, store_text=store_text, read_only=read_only)


_ledgers: weakref.WeakSet[Ledger] = weakref.WeakSet()


def _after_fork() -> None:
    for ledger in list(_ledgers):
        ledger._start_over()  # noqa: SLF001 - our own class


def _at_exit() -> None:
    for ledger in list(_ledgers):
        ledger._leave()  # noqa: SLF001 - our own class


# The last connection to close an SQLite file folds its -wal into it.
atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
