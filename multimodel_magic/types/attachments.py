"""What the user attaches to a prompt: pictures, and texts that are put below it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256

__all__ = ["Attachment", "below", "described"]

PICTURE_TOKENS = 1600
"""An estimate: the most that a picture costs at Anthropic, whose vendors' documentation says
width x height / 750, and that larger pictures are scaled down to about so many tokens."""

_RUN_OF_TICKS = re.compile(r"`+")


@dataclass(frozen=True, slots=True)
class Attachment:
    """One picture or text, read once; `multimodel_magic.attachments` makes and checks them."""

    name: str
    """The file's or the variable's own name, without its folder."""
    media_type: str
    """`image/...` for a picture; `text/plain` is UTF-8."""
    data: bytes = field(repr=False)
    sha256: str = field(init=False)
    """Of the data; hashed once, as requests are copied."""

    def __post_init__(self) -> None:
        """Hash the data."""
        object.__setattr__(self, "sha256", sha256(self.data).hexdigest())

    @property
    def is_picture(self) -> bool:
        """Whether it is sent as a picture, which the model must be able to see."""
        return self.media_type.startswith("image/")

    @property
    def estimated_tokens(self) -> int:
        """About how many input tokens it costs; to be shown as an estimate."""
        return PICTURE_TOKENS if self.is_picture else len(self.data) // 4


def below(prompt: str, attachments: Iterable[Attachment]) -> str:
    r"""Put attached texts below a prompt, each in a fence under its name, byte for byte.

    Examples
    --------
    >>> below("Sum up.", [Attachment("a.csv", "text/plain", b"x,y\n1,2\n")])
    'Sum up.\n\na.csv:\n```\nx,y\n1,2\n```'
    """
    return "\n\n".join([prompt, *(_block(one) for one in attachments if not one.is_picture)])


def _block(attachment: Attachment) -> str:
    text = attachment.data.decode()
    longest = max((len(run) for run in _RUN_OF_TICKS.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    end = "" if text.endswith("\n") else "\n"
    return f"{attachment.name}:\n{fence}\n{text}{end}{fence}"


def described(attachments: Iterable[Attachment]) -> str:
    """Name attachments as the ledger keeps them: what they were, not what they hold."""
    return json.dumps(
        [
            {"name": a.name, "media_type": a.media_type, "bytes": len(a.data), "sha256": a.sha256}
            for a in attachments
        ]
    )
