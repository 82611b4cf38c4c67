"""The values that every part of the package shares: what is asked, chosen, tried and answered.

Stdlib only, frozen, and with units in the names: `..._s` seconds, `..._usd` US dollars,
`..._tokens` tokens as the vendor bills them. `None` means unknown and `0` means zero.
"""

from multimodel_magic.types.attachments import Attachment
from multimodel_magic.types.changing import changed
from multimodel_magic.types.events import (
    AttemptFailed,
    AttemptStarted,
    Event,
    Finished,
    Notice,
    ProviderEvent,
    RateHint,
    Routed,
    Stopped,
    TextDelta,
)
from multimodel_magic.types.ids import new_ulid
from multimodel_magic.types.judges import (
    AnyJudge,
    AskingJudge,
    InTurn,
    Judge,
    Verdict,
    WeighingJudge,
)
from multimodel_magic.types.protocols import (
    PriceOf,
    Provider,
    Recorder,
    Strategy,
)
from multimodel_magic.types.schemas import Parsed, Schema
from multimodel_magic.types.values import (
    BREAKS,
    MAIN_THREAD,
    NEEDS,
    UNFINISHED,
    Attempt,
    Candidate,
    LeftOut,
    LLMResponse,
    Message,
    Model,
    Option,
    Price,
    Reason,
    Request,
    Response,
    Route,
    Usage,
)

__all__ = [
    "BREAKS",
    "MAIN_THREAD",
    "NEEDS",
    "UNFINISHED",
    "AnyJudge",
    "AskingJudge",
    "Attachment",
    "Attempt",
    "AttemptFailed",
    "AttemptStarted",
    "Candidate",
    "Event",
    "Finished",
    "InTurn",
    "Judge",
    "LLMResponse",
    "LeftOut",
    "Message",
    "Model",
    "Notice",
    "Option",
    "Parsed",
    "Price",
    "PriceOf",
    "Provider",
    "ProviderEvent",
    "RateHint",
    "Reason",
    "Recorder",
    "Request",
    "Response",
    "Route",
    "Routed",
    "Schema",
    "Stopped",
    "Strategy",
    "TextDelta",
    "Usage",
    "Verdict",
    "WeighingJudge",
    "changed",
    "new_ulid",
]
