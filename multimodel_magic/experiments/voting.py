"""What a session does about votes: takes them, keeps them in its ledger, and rates by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from multimodel_magic import bridge
from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.client.fitting import fitting
from multimodel_magic.errors import MultimodelError, UsageError, did_you_mean
from multimodel_magic.experiments.votes import EVERYBODY
from multimodel_magic.ledger import Ledger

if TYPE_CHECKING:
    import pandas as pd

    from multimodel_magic.experiments.judge import Judgement
    from multimodel_magic.experiments.ratings import Ratings
    from multimodel_magic.experiments.votes import Compared, Vote

__all__ = ["Voting"]


class Voting:
    """The part of a session that votes; comparisons are made by the other parts."""

    id: str
    client: UnifiedLLMClient
    ledger: Ledger

    @property
    def last_comparison(self) -> Compared | None:
        """The comparison that was begun last; the part of a session that compares knows."""
        return None

    def voted(self, vote: Vote) -> None:
        """Tell whoever shows the comparison; the part of a session that compares knows how."""

    @fitting
    def vote(self, vote: Vote | str | int, *, comparison: Compared | None = None) -> bool:
        """Keep a vote; of the same comparison and person (or judge) the last one counts.

        Parameters
        ----------
        vote
            `left`, `right`, `tie`, `bad`, a place from 1 or a name; or a `Vote` that says all.
        comparison
            What is voted on; by default this session's last one.

        Returns
        -------
        bool
            Whether it changed anything: said twice it counts once.

        Raises
        ------
        UsageError
            For a word that is no vote, and where there is no comparison.
        """
        from multimodel_magic.experiments.votes import Vote, row_of, vote_on

        made = vote if isinstance(vote, Vote) else vote_on(comparison or self.compared(), vote)
        row = row_of(made, self.id)
        earlier = [v for v in self.ledger.votes(comparison=row.comparison) if v.judge == row.judge]
        if earlier and earlier[-1].said == row.said:
            return False
        self.ledger.keep_vote(row)
        self.voted(made)
        return True

    @fitting
    async def ajudge(
        self,
        comparison: Compared | None = None,
        *,
        model: str = "strong",
        rubric: str | None = None,
        max_tokens: int = 1_000,
        timeout_s: float | None = None,
    ) -> Judgement:
        """Have a model prefer one of a comparison's answers, twice, the second time reversed.

        Its vote is kept as the judge's own, apart from people's: `ratings(judge=...)`.

        Parameters
        ----------
        comparison
            What is judged; by default this session's last one.
        model
            Who judges: a model, alias or role; better none of the contestants.
        rubric
            What makes an answer better, in plain words.
        max_tokens, timeout_s
            Of each of the two requests; both are in the ledger, labelled `judges: COMPARISON`.

        Raises
        ------
        UsageError
            Where there is nothing to prefer.
        MalformedAnswer
            Where the judge gives no verdict.
        """
        from multimodel_magic.experiments import judge as judging

        judged = comparison or self.compared()
        if not hasattr(judged, "responses"):
            raise UsageError(f"that is {judged!r:.60}, no comparison: such as llm.last_comparison")
        judgement = await judging.judge(
            self.client,
            judged,
            model=model,
            rubric=rubric or judging.RUBRIC,
            max_tokens=max_tokens,
            timeout_s=timeout_s,
        )
        self.vote(judgement.vote)
        return judgement

    judge = bridge.blocking(ajudge)

    def compared(self) -> Compared:
        """Return this session's last comparison.

        Raises
        ------
        UsageError
            Where there is none yet.
        """
        if (last := self.last_comparison) is None:
            raise UsageError(
                "nothing was compared yet in this session: %%llm --compare fast,strong, "
                "or llm.compare(prompt, 'fast,strong')"
            )
        return last

    @property
    def votes(self) -> pd.DataFrame:
        """The session's votes that stand, people's and judges', one a row."""
        return self.ledger.votes_frame(session=self.id)

    @fitting
    def ratings(
        self,
        *,
        by: Literal["name", "model"] = "name",
        judge: str | None = None,
        everything: bool = True,
    ) -> Ratings:
        """Rate contestants by votes: Bradley-Terry, with bootstrap intervals.

        Parameters
        ----------
        by
            `name`: contestants as the user named them; `model`: the models that really answered.
        judge
            Whose votes count: people's (None), those of a judge model, or `all` together.
        everything
            The votes of all sessions of the ledger, not of this one alone.

        Raises
        ------
        UsageError
            For a judge that has not voted, with those that have, and another `by`.
        """
        from multimodel_magic.experiments.agreement import agreement
        from multimodel_magic.experiments.ratings import ratings
        from multimodel_magic.experiments.votes import votes_in

        if by not in ("name", "model"):
            raise UsageError(f"ratings by {by!r}: say 'name' or 'model'")
        rows = self.ledger.votes(session=None if everything else self.id)
        votes, broken = votes_in(rows)
        judge = judge if judge in (None, EVERYBODY) else self._judge_in(votes, str(judge))
        chosen = [vote for vote in votes if judge in (vote.judge, EVERYBODY)]
        ids = {request_id for vote in chosen for request_id in vote.request_ids}
        names = self.ledger.answered_by(ids) if by == "model" else None
        rated = ratings(chosen, answered_by=names, judge=judge, broken=broken)
        if judge in (None, EVERYBODY):
            return rated
        return replace(rated, agreement=agreement(votes, judge))

    def _judge_in(self, votes: Sequence[Vote], judge: str) -> str:
        """Return the full name of a judge that has voted."""
        judges = sorted({vote.judge for vote in votes if vote.judge is not None})
        name = judge if judge in judges else self._full_name(judge)
        if name not in judges:
            near = did_you_mean(judge, judges) or f"; {', '.join(judges) or 'no model'} did"
            raise UsageError(f"{judge!r} has judged nothing here{near}")
        return name

    def _full_name(self, model: str) -> str:
        try:
            return self.client.catalogue.resolve(model).model.full_name
        except MultimodelError:
            return model
