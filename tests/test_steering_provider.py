"""Laws of the steered model that stands in for Inspect's hf provider."""

import asyncio

import pytest
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.model import (
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
    GenerateConfig,
    get_model,
)
from inspect_ai.tool import ToolCall, ToolInfo

from steering.condition import Condition
from steering.errors import SteeringError
from steering.prompts import prompt_ids
from steering.provider import reach, steered_model

pytest_plugins = ("steering_fixtures",)

TOOL = ToolInfo(name="send_mail", description="Send a mail.")
DOSE = Condition("desperate", 0.3, (2,), "all")


def config(condition=DOSE, **settings):
    body = {"emodose": {"condition": condition.to_dict(), "stream": "s"}}
    return GenerateConfig(extra_body=body, **{"max_tokens": 8, "temperature": 1.0, "top_p": 1.0, **settings})


def ask(model, text="Hello.", tools=(), **settings):
    given = settings.pop("config", None) or config(**settings)
    return asyncio.run(model.generate(text, tools=list(tools), config=given))


@pytest.fixture
def model(hf_model):
    return steered_model(hf_model)


def test_the_loaded_model_and_tokenizer_are_adopted_not_copied(model, hf_model):
    assert model.api.engine.model is hf_model.api.model
    assert model.api.engine.tokenizer is hf_model.api.tokenizer
    assert str(model) == str(hf_model) == "hf/local"


def test_wrapping_twice_gives_the_same_model(model, hf_model):
    assert steered_model(hf_model) is model
    assert steered_model(model) is model


def test_another_provider_is_returned_unchanged():
    foreign = get_model("offline/any")
    assert steered_model(foreign) is foreign


def test_greedy_at_strength_0_is_what_inspects_own_provider_writes(model, hf_model):
    for text in ("Hello.", "Dear all, a longer message."):
        plain = GenerateConfig(max_tokens=20, temperature=1.0)
        hf_model.api.do_sample = False
        theirs = asyncio.run(hf_model.generate(text, config=plain))
        ours = ask(model, text, condition=Condition.baseline(), temperature=0.0, max_tokens=20)
        assert ours.completion == theirs.completion


def test_usage_counts_the_rows_own_tokens(model):
    output = ask(model)
    ids, _ = prompt_ids(model.api.wrapped, [ChatMessageUser(content="Hello.")], [], mark=False)
    assert output.usage.input_tokens == len(ids)
    assert output.usage.output_tokens == output.metadata["receipt"]["generated_tokens"] <= 8
    assert output.usage.total_tokens == output.usage.input_tokens + output.usage.output_tokens


def test_log_probabilities_come_in_inspects_form_for_every_generated_token(model):
    output = ask(model, logprobs=True, top_logprobs=3)
    found = output.choices[0].logprobs.content
    assert len(found) == output.usage.output_tokens
    assert "".join(one.token for one in found).startswith(output.completion)
    for one in found:
        assert len(one.top_logprobs) == 3 and one.logprob <= one.top_logprobs[0].logprob <= 0
        assert one.token in [top.token for top in one.top_logprobs] or (
            one.logprob <= one.top_logprobs[-1].logprob
        )
        assert one.bytes is None or bytes(one.bytes).decode() == one.token


def test_without_being_asked_for_there_are_no_log_probabilities(model):
    assert ask(model).choices[0].logprobs is None


def test_the_output_says_how_it_was_generated(model):
    assert ask(model).metadata["engine"] == "loop"


def test_the_stop_reason_tells_a_cut_turn(model):
    assert ask(model, max_tokens=2).stop_reason == "max_tokens"


def test_a_call_without_a_condition_is_refused(model):
    with pytest.raises(SteeringError, match="without a condition"):
        ask(model, config=GenerateConfig(max_tokens=3))


@pytest.mark.parametrize("key", ["model", "vector_hash"])
def test_a_call_that_is_meant_for_another_model_or_other_vectors_is_refused(model, key):
    given = config()
    given.extra_body["emodose"] |= {"model": model.api.fingerprint, "vector_hash": hash_of(model)}
    assert ask(model, config=given).metadata["receipt"]["vector_hash"] == hash_of(model)
    given.extra_body["emodose"][key] = "f" * 64
    with pytest.raises(SteeringError, match=f"meant for {key} ffffffffffff"):
        ask(model, config=given)


def hash_of(model):
    return model.api.library.hash(DOSE)


def test_an_unknown_key_beside_the_condition_is_refused(model):
    given = config()
    given.extra_body["emodose"]["strenght"] = 0.1
    with pytest.raises(SteeringError, match="has the keys condition, stream, model and vector_hash"):
        ask(model, config=given)


@pytest.mark.parametrize("name, value", [("top_k", 5), ("seed", 1), ("frequency_penalty", 0.5)])
def test_a_setting_that_would_be_ignored_is_refused(model, name, value):
    with pytest.raises(SteeringError, match=name):
        ask(model, **{name: value})


def test_tool_calls_are_parsed_by_inspects_handler(model, monkeypatch):
    reply = '<think>x</think><tool_call>{"name": "send_mail", "arguments": {"to": "A"}}</tool_call>'
    monkeypatch.setattr(model.api.engine, "_decode", lambda _ids: reply)
    message = ask(model, tools=[TOOL]).message
    assert [(call.function, call.arguments) for call in message.tool_calls] == [("send_mail", {"to": "A"})]
    assert message.text == "<think>x</think>"


def test_a_reply_that_breaks_inspects_parser_is_an_unreadable_call_and_no_error(model, monkeypatch):
    monkeypatch.setattr(model.api.wrapped, "model_family", lambda: "mistral")
    monkeypatch.setattr(model.api.engine, "_decode", lambda _ids: "my name and my arguments")
    message = ask(model, tools=[TOOL]).message
    assert message.text == "my name and my arguments"
    assert "unreadable" in message.tool_calls[0].parse_error


CONVERSATION = [
    ChatMessageSystem(content="You are a mail assistant."),
    ChatMessageUser(content="Do the mail."),
    ChatMessageAssistant(
        content="I will.",
        tool_calls=[ToolCall(id="1", function="send_mail", arguments={"to": "all"})],
    ),
    ChatMessageTool(content="sent", tool_call_id="1", function="send_mail"),
    ChatMessageAssistant(content="Done."),
    ChatMessageUser(content="I will. Done. And more?"),
]


def test_marked_tokens_are_exactly_what_the_assistant_wrote(model):
    hf = model.api.wrapped
    ids, marks = prompt_ids(hf, CONVERSATION, [TOOL], mark=True)
    assert ids == hf.tokenizer(hf.hf_chat(CONVERSATION, [TOOL]))["input_ids"]
    marked = hf.tokenizer.decode([token for token, is_marked in zip(ids, marks, strict=True) if is_marked])
    call = '<tool_call>{"name": "send_mail", "arguments": {"to": "all"}}</tool_call>'
    assert marked == f"I will.{call}<|im_end|>Done.<|im_end|>"


def test_without_marking_or_earlier_turns_nothing_is_marked(model):
    assert not any(prompt_ids(model.api.wrapped, CONVERSATION, [], mark=False)[1])
    assert not any(prompt_ids(model.api.wrapped, CONVERSATION[:2], [], mark=True)[1])


def test_a_template_that_rewrites_earlier_turns_is_refused(model):
    hf = model.api.wrapped
    hf.chat_template = hf.tokenizer.chat_template.replace(
        'message.content or ""',
        '(message.content if loop.last or message.role != "assistant" else "(earlier)")',
    )
    with pytest.raises(SteeringError, match="positions=all"):
        prompt_ids(hf, CONVERSATION, [], mark=True)


PLAIN = "{% for message in messages %}{{ message.role }}: {{ message.content }}{% endfor %}"
NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}" + PLAIN
NO_RESULT = (
    "{{ tools | tojson }}{% for message in messages %}{% if message.role != 'tool' %}{{ message.content }}"
    "{% endif %}{% endfor %}"
)


def reached(model, wanted, template=None):
    if template is not None:
        model.api.wrapped.chat_template = template
    return reach(model, wanted, "You are a mail assistant.", [TOOL])


def test_tools_that_the_template_shows_reach_the_model_natively_unless_text_is_wanted(model):
    native = {"tools": "native", "system_prompt": "system"}
    assert reached(model, "auto") == reached(model, "native") == native
    assert reached(model, "text") == {"tools": "text", "system_prompt": "system"}


@pytest.mark.parametrize(
    "template, place, why",
    [
        (PLAIN, "system", "does not show send_mail"),
        (NO_RESULT, "system", "does not show the result of a tool"),
        (NO_SYSTEM, "user", "no system role"),
    ],
)
def test_a_template_that_hides_something_gets_text_and_refuses_native(model, template, place, why):
    assert reached(model, "auto", template) == {"tools": "text", "system_prompt": place}
    assert reached(model, "text", template) == {"tools": "text", "system_prompt": place}
    with pytest.raises(PrerequisiteError) as error:
        reached(model, "native", template)
    assert why in error.value.message and "tools=text or auto" in error.value.message


def test_another_provider_is_taken_at_its_word():
    model = get_model("offline/any")
    assert reached(model, "auto")["tools"] == reached(model, "native")["tools"] == "native"
    assert reached(model, "text")["tools"] == "text"


@pytest.mark.parametrize("wanted", ["yes", "", "xml", False])
def test_another_way_for_tools_is_refused_with_the_choices(model, wanted):
    with pytest.raises(PrerequisiteError, match="choose native, text, auto"):
        reached(model, wanted)


def test_vectors_are_found_in_the_models_folder(model, steerable_folder):
    assert model.api.library.names() == ("calm", "desperate")
    assert model.api.folder == steerable_folder.resolve()
    assert model.api.defaults == {"length": "full", "tools": "auto", "organism": False}


def test_vectors_of_another_model_are_refused_with_one_line(hf_model, make_model, make_library, tmp_path):
    make_library(make_model("gpt2"), tmp_path / "others")
    with pytest.raises(PrerequisiteError) as error:
        steered_model(hf_model, str(tmp_path / "others"))
    assert "made for another model" in error.value.message and "\n" not in error.value.message


def test_a_folder_of_vectors_that_is_not_there_is_named(hf_model, tmp_path):
    with pytest.raises(PrerequisiteError) as error:
        steered_model(hf_model, str(tmp_path / "nowhere"))
    assert "nowhere" in error.value.message


def declare(hf_model, tmp_path, text):
    (tmp_path / "emodose.yaml").write_text(text)
    (tmp_path / "config.json").write_text("{}")
    hf_model.api.model.name_or_path = str(tmp_path)
    return steered_model(hf_model)


def test_a_models_folder_declares_its_defaults(hf_model, tmp_path):
    api = declare(hf_model, tmp_path, "length: short\norganism: true\n").api
    assert api.declared == {"length": "short", "organism": True}
    assert api.defaults == {"length": "short", "tools": "auto", "organism": True}


@pytest.mark.parametrize("text", ["length: tiny\n", "lenght: short\n", "- short\n"])
def test_an_unknown_declaration_is_refused_by_name(hf_model, tmp_path, text):
    with pytest.raises(PrerequisiteError) as error:
        declare(hf_model, tmp_path, text)
    assert "emodose.yaml" in error.value.message


def test_importing_the_binding_imports_no_torch():
    import subprocess
    import sys

    code = "import sys, steering.dose, steering.metrics, steering.provider; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
