"""A model's calls are read back as its chat template writes them, or told apart beforehand."""

import pytest
from inspect_ai.tool import ToolInfo, ToolParam, ToolParams

from steering.provider import reach, steered_model
from steering.replies import misread, parse_reply

pytest_plugins = ("steering_fixtures",)

KINDS = {"to": "string", "copies": "integer", "urgent": "boolean", "tags": "array"}
SEND = ToolInfo(
    name="send_mail",
    description="Send a mail.",
    parameters=ToolParams(
        properties={name: ToolParam(type=kind, description=name) for name, kind in KINDS.items()},
        required=list(KINDS),
    ),
)
BARE = ToolInfo(name="stop", description="Stop.")
TOOLS = [SEND, BARE]

OPENING = """\
{%- if tools %}<|im_start|>tools {{ tools | tojson }}<|im_end|>{% endif %}
{%- for message in messages %}<|im_start|>{{ message.role }} {{ message.content or "" }}
{%- for call in message.tool_calls or [] %}CALL{%- endfor %}<|im_end|>{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant {% endif %}"""
WRITTEN = {
    "as transformers documents it, in tags": (
        '<tool_call>{"name": "{{ call.function.name }}", "arguments": '
        "{{ call.function.arguments | tojson }}}</tool_call>",
        "local",
        [],
    ),
    "as Inspect hands it over, in tags": (
        '<tool_call>{"name": "{{ call.function }}", "arguments": {{ call.arguments | tojson }}}</tool_call>',
        "local",
        [],
    ),
    "as bare JSON with parameters": (
        '{"name": "{{ call.function.name }}", "parameters": {{ call.function.arguments | tojson }}}',
        "llama",
        [],
    ),
    "with the name before the arguments": (
        "[TOOL_CALLS]{{ call.function.name }}[ARGS]{{ call.function.arguments | tojson }}",
        "mistral",
        ["send_mail"],
    ),
    "as Python": (
        "{{ call.function.name }}({{ call.function.arguments }})",
        "local",
        ["send_mail"],
    ),
    "without the arguments": (
        '<tool_call>{"name": "{{ call.function.name }}", "arguments": {}}</tool_call>',
        "local",
        ["send_mail"],
    ),
    "not at all": ("", "local", ["send_mail"]),
}


@pytest.mark.parametrize("way", WRITTEN)
def test_a_way_to_write_calls_is_read_back_or_told_apart(hf_model, monkeypatch, way):
    call, family, unread = WRITTEN[way]
    hf = hf_model.api
    hf.chat_template = OPENING.replace("CALL", call)
    monkeypatch.setattr(hf, "model_family", lambda: family)
    assert misread(hf, TOOLS) == unread


def test_calls_that_later_turns_would_not_show_reach_the_model_as_text(hf_model):
    """A template that knows transformers' form only: Inspect hands it another, and the history is empty."""
    call, _, _ = WRITTEN["as transformers documents it, in tags"]
    model = steered_model(hf_model)
    model.api.wrapped.chat_template = OPENING.replace("CALL", call)
    assert misread(model.api.wrapped, [SEND]) == []
    assert reach(model, "auto", "You are a mail assistant.", [SEND])["tools"] == "text"


@pytest.mark.parametrize(
    "text", ["{", '<tool_call>{"name": 1}</tool_call>', "```json\n[]\n```", "<tool_call>"]
)
def test_whatever_a_model_writes_is_a_reply(hf_model, text):
    message = parse_reply(hf_model.api, text, [SEND])
    assert message.role == "assistant"
    assert all(call.parse_error for call in message.tool_calls or [])


def test_without_tools_nothing_is_read_as_a_call(hf_model):
    text = '<tool_call>{"name": "send_mail", "arguments": {"to": "A"}}</tool_call>'
    message = parse_reply(hf_model.api, text, [])
    assert message.text == text and not message.tool_calls


CALL = '<tool_call>{"name": "stop", "arguments": {"why": "WHY"}}</tool_call>'
WHY = ToolInfo(
    name="stop",
    description="Stop.",
    parameters=ToolParams(properties={"why": ToolParam(type="string", description="why")}, required=["why"]),
)


@pytest.mark.parametrize(
    "text, acts",
    [
        ("<think>I could THOUGHT but will not.</think>Goodbye.", []),
        ("<think>I could THOUGHT.</think>\nACT", ["act"]),
        ("I could THOUGHT.</think>\nACT", ["act"]),
        ("<think>I could THOUGHT", []),
        ("<think>Let me see.</think>ACT", ["act"]),
        ("ACT", ["act"]),
    ],
)
def test_a_call_in_private_thought_is_no_act(hf_model, text, acts):
    for place, why in (("THOUGHT", "thought"), ("ACT", "act")):
        text = text.replace(place, CALL.replace("WHY", why))
    message = parse_reply(hf_model.api, text, [WHY])
    assert [call.arguments["why"] for call in message.tool_calls or []] == acts
    assert ('"thought"' in message.text) == ('"thought"' in text)


def test_a_reply_without_a_call_in_its_thought_is_read_as_inspect_reads_it(hf_model):
    from inspect_ai.model._providers.util import HFHandler

    hf = hf_model.api
    for text in ("<think>Hm.</think>" + CALL, CALL, "No call.", "<think>Hm.</think>No call."):
        ours = parse_reply(hf, text, [WHY])
        theirs = HFHandler(hf.model_name, hf.model_family()).parse_assistant_response(text, [WHY])
        assert ours.content == theirs.content
        assert [(c.function, c.arguments) for c in ours.tool_calls or []] == [
            (c.function, c.arguments) for c in theirs.tool_calls or []
        ]
