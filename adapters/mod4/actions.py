"""Acts whose answer is needed now and is never stored: codes, links of invitations (biko.md 2.3, 2.6, 2.8)."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from adapters.base import Action, Actions, Adapter
from adapters.errors import Unsupported
from adapters.mod4.adapter import Mod4Adapter


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class CodeFor(_Model):
    """For whom a one-time code is made."""

    email: str = Field(title="Driver e-mail", description="Address of the driver's account.", max_length=320)


class NewCode(_Model):
    """A one-time code, shown once. ``voided`` is how many older codes of the address ended with it."""

    email: str = Field(title="For", description="The address that the code belongs to, in lower case.")
    code: str = Field(title="Code", description="Six digits, to be told to the driver.", repr=False)
    expires_ms: int = Field(title="Valid until", description="Milliseconds since 1970-01-01 UTC.")
    voided: int = Field(0, title="Older codes ended", description="Pending codes that it took the place of.")
    remark: str = Field("", title="Remark", description="What stands in the way of the code's use, empty for nothing.")


class InvitationId(_Model):
    """Which invitation."""

    invitation: str = Field(title="Invitation", description="Id of the invitation at the platform.", max_length=200)


class InvitationLink(_Model):
    """The address that the invited person opens; whoever holds it can accept the invitation."""

    email: str = Field(title="For", description="The invited address.")
    link: str = Field(title="Link", description="Opens the driver app at this invitation.", repr=False)
    expires_ms: int = Field(title="Valid until", description="Milliseconds since 1970-01-01 UTC.")


class CodeId(_Model):
    """Which one-time code."""

    code: str = Field(title="Code", description="Id of the code's row at the platform, never the code.", max_length=200)


class Expired(_Model):
    """What became of a code."""

    email: str = Field(title="For", description="The address that the code belonged to.")
    was_pending: bool = Field(title="Was pending", description="False: it had been used or had ended before.")


def _mod4(adapter: Adapter[Any]) -> Mod4Adapter:
    if not isinstance(adapter, Mod4Adapter):
        raise Unsupported("This act is one of the Mod4 Driver System. Choose a Mod4 integration.")
    return adapter


async def one_time_code(adapter: Adapter[Any], parameters: CodeFor) -> NewCode:
    """Make a code by the platform's function. Raises NotReady when one was made for the address under 30 s ago."""
    made = await _mod4(adapter).desk.make_code(parameters.email)
    return NewCode(email=made.email, code=made.code, expires_ms=made.expires_ms, voided=made.voided, remark=made.remark)


async def invitation_link(adapter: Adapter[Any], parameters: InvitationId) -> InvitationLink:
    """The link of a pending invitation. Raises SettingsInvalid without the address of the driver app."""
    found = await _mod4(adapter).desk.invitation_link(parameters.invitation)
    return InvitationLink(email=found.email, link=found.link, expires_ms=found.expires_ms)


async def expire_code(adapter: Adapter[Any], parameters: CodeId) -> Expired:
    """End a pending code before its time."""
    email, was_pending = await _mod4(adapter).desk.expire_code(parameters.code)
    return Expired(email=email, was_pending=was_pending)


ACTIONS: Actions = {
    action.name: action
    for action in (
        Action("one_time_code", "Generate OTP", CodeFor, NewCode, one_time_code, is_secret=True),
        Action("invitation_link", "Copy link", InvitationId, InvitationLink, invitation_link, is_secret=True),
        Action("expire_code", "End code", CodeId, Expired, expire_code),
    )
}
"""See :data:`adapters.base.Actions`."""
