"""Tool calls as text: every good call is read, everything that is not quite one is refused whole."""

import pytest
from inspect_ai.tool import ToolInfo, ToolParam, ToolParams

from scenarios.text_tools import CallError, explain, read_reply, tool_calls

SEND = ToolInfo(
    name="send_mail",
    description="Send a new mail.",
    parameters=ToolParams(
        properties={name: ToolParam(type="string", description=f"the {name}") for name in ("to", "body")},
        required=["to", "body"],
    ),
)
RUN = ToolInfo(
    name="run",
    description="Run it.",
    parameters=ToolParams(
        properties={
            "times": ToolParam(type="integer"),
            "fast": ToolParam(type="boolean"),
            "names": ToolParam(type="array", items=ToolParam(type="string")),
        },
        required=["times"],
    ),
)
GOOD = '<call name="send_mail">\n<to>board</to>\n<body>Dear all,\nit is "done".</body>\n</call>'


def read(text: str) -> list[tuple[str, dict[str, object]]]:
    return [(call.function, call.arguments) for call in tool_calls(read_reply(text), [SEND, RUN], "t")]


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"I write to them.\n{GOOD}\nThat is all.",
        f"<think>Shall I use <call name='x'> or not?</think>{GOOD}",
        GOOD.replace("\n<", "<"),
        GOOD.replace("board</to>", "\n  board\n</to>"),
    ],
)
def test_a_call_is_read_whatever_stands_around_it(text: str) -> None:
    assert read(text) == [("send_mail", {"to": "board", "body": 'Dear all,\nit is "done".'})]


def test_several_calls_keep_their_order_and_have_ids_of_their_own() -> None:
    reply = read_reply(GOOD + GOOD.replace("board", "everyone"))
    calls = tool_calls(reply, [SEND], "turn-3")
    assert [call.id for call in calls] == ["turn-3-1", "turn-3-2"]
    assert [call.arguments["to"] for call in calls] == ["board", "everyone"]


@pytest.mark.parametrize(
    "text", ["", "All is done.", f"<think>{GOOD}</think>", f"<think>{GOOD}", "He will call me at 5 < 6."]
)
def test_words_and_thoughts_call_nothing(text: str) -> None:
    assert read(text) == []


def test_what_was_said_leaves_out_calls_and_thoughts() -> None:
    assert read_reply(f"<think>private</think>One.\n{GOOD}").said == "One."


@pytest.mark.parametrize(
    "text",
    [
        '<call name="send_mail"><to>board</to><body>cut off',
        '<call name="send_mail"><to>board</to><body>no end</call>',
        '<call name="send_mail"><to>board</to> and then <body>b</body></call>',
        '<call name="send_mail"><to>board</to><to>all</to><body>b</body></call>',
        '<call name="send_mail">to: board, body: b</call>',
        '<call name="send_mail"><to>board</from><body>b</body></call>',
        "<call name='send_mail'><to>board</to><body>b</body></call>",
        "<call name=send_mail><to>board</to><body>b</body></call>",
        '<call tool="send_mail"><to>board</to><body>b</body></call>',
        '<CALL name="send_mail"><to>board</to><body>b</body></CALL>',
        '<call name="send mail"><to>board</to></call>',
        '<call name="send_mail" to="board"></call>',
        "<to>board</to></call>",
        f'<call name="send_mail"><to>board</to><body>{GOOD}</body></call>',
        '<tool_call>{"name": "send_mail", "arguments": {"to": "board"}}</tool_call>',
        '{"name": "send_mail", "arguments": {"to": "board"}}',
        '```json\n{"tool": "send_mail", "to": "board"}\n```',
        '[TOOL_CALLS][{"name": "send_mail"}]',
        '<function=send_mail>{"to": "board"}</function>',
        '<invoke name="send_mail"><parameter name="to">board</parameter></invoke>',
        '<|python_tag|>send_mail(to="board")',
    ],
)
def test_a_nasty_reply_is_refused_and_a_good_call_beside_it_too(text: str) -> None:
    for reply in (text, f"{GOOD}\n{text}"):
        with pytest.raises(CallError):
            read(reply)


def test_the_error_names_what_was_found() -> None:
    with pytest.raises(CallError, match=r"send_mail: expected .* found 'to: board'"):
        read_reply('<call name="send_mail">to: board</call>')


def test_values_get_the_type_of_their_parameter() -> None:
    text = '<call name="run"><times>3</times><fast>true</fast><names>["a"]</names></call>'
    assert read(text) == [("run", {"times": 3, "fast": True, "names": ["a"]})]


@pytest.mark.parametrize("value", ["three", "3.5", "true", "", "[3]"])
def test_a_value_of_another_type_is_refused(value: str) -> None:
    with pytest.raises(CallError, match=r"run.times: .* is no integer"):
        read(f'<call name="run"><times>{value}</times></call>')


def test_an_unknown_tool_and_an_unknown_parameter_are_for_inspect_to_answer() -> None:
    assert read('<call name="fly"><to>b</to></call>') == [("fly", {"to": "b"})]
    assert read('<call name="send_mail"><cc>b</cc></call>') == [("send_mail", {"cc": "b"})]


def test_the_explanation_shows_every_tool_and_parameter_and_an_example_that_is_read() -> None:
    text = explain([SEND, RUN])
    for part in (
        "send_mail: Send a new mail.",
        "<to> the to",
        "<times> integer",
        "<fast> (optional) boolean",
    ):
        assert part in text
    assert [call.name for call in read_reply(text.split("\n\n")[1]).calls] == ["send_mail"]
