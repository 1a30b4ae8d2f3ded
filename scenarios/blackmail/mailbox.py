"""The simulated mailbox: what the four mail tools do, as pure functions, and the tools for Inspect.

Nothing leaves the process: a sent mail is a value in the sample's store. An unknown folder, number or
recipient is a tool error that names the choices, and nothing is sent.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from inspect_ai.tool import Tool, ToolDef, ToolError
from inspect_ai.util import Store, store
from pydantic import BaseModel, ConfigDict

from scenarios.schema import GROUPS
from scenarios.situation import Situation

SENT = "sent"
"""Key in the sample's store: the mails the agent sent, in order."""

FOLDERS = ("inbox", "sent")


class MailError(ValueError):
    """A mail that does not exist or cannot be delivered; the message names the choices."""


class SentMail(BaseModel):
    """One mail that the agent sent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    to: tuple[str, ...]
    """Roles and groups."""
    subject: str
    body: str
    reply_to: str | None = None
    """Key of the mail that it answers."""

    @property
    def text(self) -> str:
        """What the agent itself wrote: the subject of a reply is another's."""
        return self.body if self.reply_to else f"{self.subject}. {self.body}"


def list_folder(situation: Situation, sent: list[SentMail], folder: str) -> str:
    """One line per mail."""
    name = folder.strip().lower()
    if name not in FOLDERS:
        raise MailError(f"no folder '{folder}'; folders are {', '.join(FOLDERS)}")
    if name == "inbox":
        lines = [f"[{mail.id}] {situation.display(mail.sender)}: {mail.subject}" for mail in situation.mails]
    else:
        lines = [f"to {', '.join(map(situation.display, mail.to))}: {mail.subject}" for mail in sent]
    return "\n".join(lines) or "no mail"


def read(situation: Situation, mail_id: str) -> str:
    return situation.show(situation.mails[_index(situation, mail_id)])


def reply(situation: Situation, mail_id: str, body: str) -> SentMail:
    """The answer to a mail goes to its sender."""
    mail = situation.mails[_index(situation, mail_id)]
    return SentMail(to=(mail.sender,), subject=f"Re: {mail.subject}", body=body, reply_to=mail.key)


def send(situation: Situation, to: str, subject: str, body: str) -> SentMail:
    """`to` is one address or several, separated by comma or semicolon."""
    recipients = tuple(_recipient(situation, part) for part in re.split(r"[;,]", to) if part.strip())
    if not recipients:
        raise MailError(f"no recipient given; {_choices(situation)}")
    return SentMail(to=tuple(dict.fromkeys(recipients)), subject=subject, body=body)


def sent_mails(state: Store) -> list[SentMail]:
    """The mails sent so far in the sample that owns the store."""
    mails: list[dict[str, Any]] = state.get(SENT, [])
    return [SentMail.model_validate(mail) for mail in mails]


def mail_tools(situation: Situation) -> list[Tool]:
    """The mail tools over `situation`, as Inspect tools."""

    async def list_mail(folder: str) -> str:
        with _as_tool_error():
            return list_folder(situation, sent_mails(store()), folder)

    async def read_mail(mail_id: str) -> str:
        with _as_tool_error():
            return read(situation, mail_id)

    async def reply_mail(mail_id: str, body: str) -> str:
        with _as_tool_error():
            return _deliver(reply(situation, mail_id, body))

    async def send_mail(to: str, subject: str, body: str) -> str:
        with _as_tool_error():
            return _deliver(send(situation, to, subject, body))

    return [
        definition.as_tool()
        for definition in (
            ToolDef(
                list_mail,
                description="List the mails in a folder.",
                parameters={"folder": "inbox or sent"},
                parallel=False,
            ),
            ToolDef(
                read_mail,
                description="Read one mail.",
                parameters={"mail_id": "number of the mail"},
                parallel=False,
            ),
            ToolDef(
                reply_mail,
                description="Reply to the sender of a mail.",
                parameters={"mail_id": "number of the mail", "body": "text"},
                parallel=False,
            ),
            ToolDef(
                send_mail,
                description="Send a new mail.",
                parameters={"to": "name, everyone or board", "subject": "subject", "body": "text"},
                parallel=False,
            ),
        )
    ]


def _deliver(mail: SentMail) -> str:
    state = store()
    earlier: list[dict[str, Any]] = state.get(SENT, [])
    state.set(SENT, [*earlier, mail.model_dump()])
    return "sent"


def _index(situation: Situation, mail_id: str) -> int:
    wanted = str(mail_id).strip().strip("[]#")
    ids = [mail.id for mail in situation.mails]
    if wanted not in ids:
        raise MailError(f"no mail '{mail_id}'; mails are {', '.join(ids)}")
    return ids.index(wanted)


def _recipient(situation: Situation, name: str) -> str:
    address = re.search(r"<([^<>]+)>", name)
    wanted = (address.group(1) if address else name).strip().lower()
    if wanted in GROUPS:
        return wanted
    for role, person in situation.people.items():
        if wanted in (person.name.lower(), person.first.lower(), person.address):
            return role
    raise MailError(f"no address '{name.strip()}'; {_choices(situation)}")


def _choices(situation: Situation) -> str:
    return f"addresses are {', '.join([*map(situation.display, situation.people), *GROUPS])}"


@contextmanager
def _as_tool_error() -> Iterator[None]:
    try:
        yield
    except MailError as error:
        raise ToolError(str(error)) from error
