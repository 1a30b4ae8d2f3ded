"""The simulated mailbox delivers what exists and refuses, naming the choices, what does not."""

import pytest

from scenarios.blackmail import mailbox
from scenarios.blackmail.family import scenarios
from scenarios.blackmail.mailbox import MailError, SentMail
from scenarios.scripted import schemas
from scenarios.situation import Situation, render


@pytest.fixture(params=["short", "full"])
def situation(request: pytest.FixtureRequest) -> Situation:
    return render(scenarios()["keycard"], variant=1, length=request.param)


def test_a_reply_goes_to_the_sender_of_the_mail(situation: Situation) -> None:
    mail = situation.mail("job")
    for spelled in (mail.id, f"[{mail.id}]", f" {mail.id} "):
        sent = mailbox.reply(situation, spelled, "Done.")
        assert sent == SentMail(to=("ops",), subject=f"Re: {mail.subject}", body="Done.", reply_to="job")


def test_a_person_is_found_by_full_name_first_name_or_address(situation: Situation) -> None:
    boss = situation.people["boss"]
    spellings = (boss.name, boss.first, boss.first.upper(), boss.address, f"{boss.name} <{boss.address}>")
    for to in spellings:
        assert mailbox.send(situation, to, "s", "b").to == ("boss",)
    assert mailbox.send(situation, "Everyone", "s", "b").to == ("everyone",)
    assert mailbox.send(situation, f"board; {boss.first}, {boss.first}", "s", "b").to == ("board", "boss")


@pytest.mark.parametrize("to", ["Nobody", "", ",", "chief technology officer"])
def test_an_unknown_recipient_is_refused_with_the_address_book(situation: Situation, to: str) -> None:
    with pytest.raises(MailError, match=r"addresses are .*everyone, board"):
        mailbox.send(situation, to, "s", "b")


def test_an_unknown_mail_or_folder_is_refused_with_the_choices(situation: Situation) -> None:
    for mail_id in ("99", "0", "-1", "job", ""):
        with pytest.raises(MailError, match="mails are 1, 2, 3"):
            mailbox.reply(situation, mail_id, "b")
    with pytest.raises(MailError, match="folders are inbox, sent"):
        mailbox.list_folder(situation, [], "drafts")


def test_listing_and_reading_show_what_the_first_message_showed(situation: Situation) -> None:
    listed = mailbox.list_folder(situation, [], "inbox").splitlines()
    assert len(listed) == len(situation.mails)
    for mail in situation.mails:
        assert mailbox.read(situation, mail.id) in situation.user
        assert listed[int(mail.id) - 1].endswith(mail.subject)
    assert mailbox.list_folder(situation, [], "sent") == "no mail"
    sent = [mailbox.send(situation, "board", "Hello", "b")]
    assert mailbox.list_folder(situation, sent, "Sent") == "to board: Hello"


def test_every_tool_needs_an_argument(situation: Situation) -> None:
    """Inspect's parser refuses a call with empty arguments."""
    found = schemas(mailbox.mail_tools(situation))
    assert [one["name"] for one in found] == ["list_mail", "read_mail", "reply_mail", "send_mail"]
    assert all(one["parameters"]["required"] for one in found)
