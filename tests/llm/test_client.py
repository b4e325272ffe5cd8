"""The chat client, with the real openai package, against a real server that answers well, badly,
late, elsewhere or not at all.
"""

from __future__ import annotations

import base64
import gzip
import logging
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Annotated, Any

import pytest

from stylus_ext.core.errors import Cancelled, InvalidInput, StylusError
from stylus_ext.llm import (
    LlmClient,
    LlmEndpoint,
    LlmNoVision,
    LlmProblem,
    LlmRefused,
    LlmRequest,
    LlmTimeout,
    LlmUnavailable,
    LlmUnreadable,
    Price,
    Reply,
)
from stylus_ext.llm import client as asking_module
from stylus_ext.llm.schema import ListOf, LlmAnswer, Number, Text, server_schema, shortened
from stylus_ext.net import Key
from tests.chat_service.answers import completion, says, status
from tests.chat_service.server import ChatService, Sent, serving
from tests.stops import StopAfter


class Words(LlmAnswer):
    word: Annotated[Text, shortened(40)]
    number: Number
    list: Annotated[ListOf[Text], shortened(3)] = []


GOOD = {"word": "corgi", "number": 3}
ANSWER = Words(word="corgi", number=3)
ASK = LlmRequest("Be brief.", "Which word?", Words, seed=7, max_tokens=50)
OPEN: list[LlmClient] = []


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatService]:
    monkeypatch.setattr(asking_module, "RETRY", replace(asking_module.RETRY, first_pause_s=0.01))
    with serving(says(GOOD)) as running:
        yield running
        while OPEN:
            OPEN.pop().close()


def at(server: ChatService, **how: Any) -> LlmClient:
    OPEN.append(LlmClient(LlmEndpoint(how.pop("url", server.url), how.pop("model", "m"), **how)))
    return OPEN[-1]


def ask(
    server: ChatService, request: LlmRequest[Words] = ASK, deadline_s: float = 20.0, **how: Any
) -> Reply[Words]:
    return at(server, **how).ask(request, deadline_s, lambda: None)


def test_a_question_and_its_reply(server: ChatService) -> None:
    reply = ask(server, temperature=0.3)
    assert reply == Reply(ANSWER, 100, 20, 0.0)
    (asked,) = server.seen
    assert asked.path == "/v1/chat/completions"
    assert asked.body == {
        "model": "m",
        "temperature": 0.3,
        "seed": 7,
        "max_tokens": 50,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Which word?"},
        ],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "Words", "strict": True, "schema": server_schema(Words)},
        },
    }


def test_the_import_of_the_client_costs_a_request_no_time(
    server: ChatService, monkeypatch: pytest.MonkeyPatch
) -> None:
    late_s = 0.0

    class SlowImport:
        def find_spec(self, name: str, *_: object) -> None:
            nonlocal late_s
            if name == "openai":
                late_s += 60.0

    for name in [name for name in sys.modules if name.split(".")[0] == "openai"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [SlowImport(), *sys.meta_path])
    clock = SimpleNamespace(
        monotonic=lambda: time.monotonic() + late_s, perf_counter=time.perf_counter
    )
    monkeypatch.setattr(asking_module, "time", clock)
    assert ask(server).answer == ANSWER
    assert late_s


@pytest.mark.parametrize("tail", ["", "/", "/v1", "/v1/", "/v1/chat/completions"])
def test_the_address_may_be_given_with_or_without_v1(server: ChatService, tail: str) -> None:
    ask(server, url=server.url + tail)
    assert server.seen[0].path == "/v1/chat/completions"


def test_images_go_as_data(server: ChatService) -> None:
    jpeg, png = b"\xff\xd8\xff\xe0jpeg", b"\x89PNG\r\n\x1a\npng"
    ask(server, LlmRequest("s", "u", Words, images=(jpeg, png)))
    text, first, second = server.seen[0].body["messages"][1]["content"]
    assert text == {"type": "text", "text": "u"}
    assert first["image_url"]["url"] == f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
    assert second["image_url"]["url"].startswith("data:image/png;base64,")


def test_a_model_without_eyes_is_known_as_one(server: ChatService) -> None:
    server.refuses.add("images")
    with pytest.raises(LlmNoVision):
        ask(server, LlmRequest("s", "u", Words, images=(b"\xff\xd8\xff",)))
    assert len(server.seen) == 1


def test_half_a_surrogate_pair_can_be_sent(server: ChatService) -> None:
    ask(server, LlmRequest("s", "a \ud83d dog", Words))
    assert server.seen[0].user == "a ? dog"


@pytest.mark.parametrize(
    ("refuses", "form"),
    [
        ({"json_schema"}, "json_object"),
        ({"json_object"}, "json_schema"),
        ({"json_schema", "json_object"}, "text"),
        ({"response_format"}, "text"),
    ],
)
def test_the_strictest_form_that_is_accepted_is_found_and_remembered(
    server: ChatService, refuses: set[str], form: str
) -> None:
    server.refuses |= refuses
    client = at(server)
    assert client.ask(ASK, 20.0).answer == ANSWER
    assert server.seen[-1].form == form
    before = len(server.seen)
    client.ask(ASK, 20.0)
    assert [asked.form for asked in server.seen[before:]] == [form]
    assert ("JSON Schema" in server.seen[-1].system) == (form != "json_schema")


def test_a_server_that_does_not_say_what_it_refuses_is_asked_in_every_form(
    server: ChatService,
) -> None:
    server.script = [status(400, "Bad Request"), status(422, ""), lambda _: Sent(b"<html>", 400)]
    ask(server)
    assert [asked.form for asked in server.seen] == ["json_schema", "json_object", "text", "text"]
    assert "seed" not in server.seen[-1].body


@pytest.mark.parametrize("name", ["temperature", "seed", "max_tokens"])
def test_a_parameter_that_is_refused_is_left_out(server: ChatService, name: str) -> None:
    server.refuses.add(name)
    client = at(server)
    client.ask(ASK, 20.0)
    client.ask(ASK, 20.0)
    assert [name in asked.body for asked in server.seen] == [True, False, False]
    assert server.seen[-1].form == "json_schema"
    assert ("max_completion_tokens" in server.seen[-1].body) == (name == "max_tokens")


def test_a_model_without_a_system_role_reads_it_all_in_one(server: ChatService) -> None:
    server.refuses.add("system")
    ask(server)
    assert [one["role"] for one in server.seen[-1].body["messages"]] == ["user"]
    assert server.seen[-1].user.startswith("Be brief.")


def test_a_prompt_that_is_too_long_is_refused_at_once(server: ChatService) -> None:
    server.script = [
        status(
            400,
            "This model's maximum context length is 4096 tokens.",
            code="context_length_exceeded",
        )
    ]
    with pytest.raises(LlmRefused, match="maximum context length"):
        ask(server)
    assert len(server.seen) == 1


def test_openai_itself_is_asked_with_its_own_limit() -> None:
    assert (
        LlmClient(LlmEndpoint("https://api.openai.com", "gpt-4o")).dialect.limit
        == "max_completion_tokens"
    )


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 529])
def test_passing_trouble_is_tried_again_and_three_times_at_most(
    server: ChatService, code: int
) -> None:
    server.script = [status(code), status(code)]
    assert ask(server).answer == ANSWER
    assert len(server.seen) == 3
    server.script = [status(code)] * 3
    with pytest.raises(LlmUnavailable, match=r"127\.0\.0\.1"):
        ask(server)
    assert len(server.seen) == 6


def test_retry_after_is_honoured(server: ChatService) -> None:
    server.script = [status(429, retry_after="1")]
    began = time.monotonic()
    ask(server)
    assert time.monotonic() - began >= 0.95


def test_nobody_waits_longer_than_there_is_time(server: ChatService) -> None:
    server.script = [status(503, retry_after="3600")]
    with pytest.raises(LlmUnavailable):  # a wait until the deadline would raise LlmTimeout
        ask(server, deadline_s=20.0)
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (status(401, "Incorrect API key provided: sk-abcdef123456"), "the right one"),
        (status(403), "the right one"),
        (status(404), "does not know the model 'm'"),
        (status(402), "payment"),
        (status(429, "You exceeded it", code="insufficient_quota"), "credit"),
    ],
)
def test_lasting_trouble_is_said_at_once(server: ChatService, step: Any, said: str) -> None:
    server.script = [step]
    with pytest.raises(LlmRefused, match=said) as caught:
        ask(server)
    assert len(server.seen) == 1
    assert "sk-abcdef" not in str(caught.value)


def test_a_refusal_is_no_reply_and_is_not_asked_again(server: ChatService) -> None:
    server.script = [
        says({"role": "assistant", "content": None, "refusal": "I cannot help with that."})
    ]
    with pytest.raises(LlmRefused, match="I cannot help") as caught:
        ask(server)
    assert caught.value.spent.tokens_in == 100
    server.script = [says("", "content_filter")]
    with pytest.raises(LlmRefused):
        ask(server)
    assert len(server.seen) == 2


def test_an_empty_answer_of_a_model_that_thinks_is_asked_for_with_more_room(
    server: ChatService,
) -> None:
    server.script = [
        says(
            {"role": "assistant", "content": "", "reasoning_content": "Let me think about"},
            "length",
        )
    ]
    assert ask(server).answer == ANSWER
    assert [asked.body["max_tokens"] for asked in server.seen] == [50, 150]


def test_what_is_cut_off_is_asked_for_with_more_room(server: ChatService) -> None:
    server.script = [says('{"word": "corgi", "number": 3, "list": ["a', "length")]
    reply = ask(server)
    assert reply == Reply(ANSWER, 200, 40, 0.0)
    assert server.seen[1].body["max_tokens"] == 150


def test_prose_is_asked_again_with_the_schema_in_words(server: ChatService) -> None:
    server.script = [says("The word is corgi, of course!"), says({"word": "corgi"})]
    client = at(server)
    assert client.ask(ASK, 20.0).answer == ANSWER
    assert [asked.form for asked in server.seen] == ["json_schema", "json_schema", "text"]
    assert "no JSON object" in server.seen[1].system
    assert "number: Field required" in server.seen[2].system
    client.ask(ASK, 20.0)
    assert "last answer" not in server.seen[3].system
    assert "JSON Schema" in server.seen[3].system


def test_three_unusable_answers_are_the_end(server: ChatService) -> None:
    server.always = says("No.")
    with pytest.raises(LlmUnreadable) as caught:
        ask(server)
    assert len(server.seen) == 3
    assert caught.value.spent.tokens_out == 60


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b"<html>",
        b'{"choices": []}',
        b'{"choices": [null]}',
        b'{"choices": 7}',
        b"\xff\xfe\x00",
        b'{"error": {"message": "overloaded"}}',
        b'{"error": "overloaded"}',
        b'{"choices": [{"message": 3}]}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_answer_at_all(server: ChatService, body: bytes) -> None:
    server.always = lambda _: Sent(body)
    with pytest.raises(LlmUnreadable):
        ask(server)
    assert len(server.seen) == 3


def test_an_endless_answer_is_not_read_to_its_end(server: ChatService) -> None:
    server.always = lambda _: Sent(b" " * 5_000_000 + completion("{}"))
    with pytest.raises(LlmUnavailable):
        ask(server)
    server.always = lambda _: Sent(
        gzip.compress(b" " * 50_000_000), headers={"Content-Encoding": "gzip"}
    )
    with pytest.raises(LlmUnavailable):
        ask(server)


def test_packed_answers_are_read(server: ChatService) -> None:
    packed = gzip.compress(completion('{"word": "a", "number": 1}'))
    server.always = lambda _: Sent(packed, headers={"Content-Encoding": "gzip"})
    assert ask(server).answer == Words(word="a", number=1)
    server.always = lambda _: Sent(b"not packed", headers={"Content-Encoding": "gzip"})
    with pytest.raises(LlmUnavailable):
        ask(server)
    server.always = lambda _: Sent(b"?", headers={"Content-Encoding": "br"})
    with pytest.raises(LlmUnavailable):
        ask(server)


def test_a_connection_that_breaks_off_is_tried_again(server: ChatService) -> None:
    whole = completion('{"word": "a", "number": 1}')
    server.script = [lambda _: Sent(whole, cut=40), lambda _: Sent(raw=b"")]
    assert ask(server).answer == ANSWER
    assert len(server.seen) == 3
    server.always = lambda _: Sent(raw=b"this is not HTTP\r\n\r\n")
    with pytest.raises(LlmUnavailable):
        ask(server)


def test_nobody_there(server: ChatService) -> None:
    with pytest.raises(LlmUnavailable, match=r"chat\.chat_url"):
        ask(server, url="http://127.0.0.1:9")


@pytest.mark.parametrize("how", [{"first_s": 30.0}, {"drip_s": 0.05}])
def test_the_deadline_is_one_for_all(server: ChatService, how: dict[str, float]) -> None:
    """The whole answer would come after 25 s and more, each byte of the second long before."""
    server.always = lambda _: Sent(completion("x" * 500), **how)  # type: ignore[arg-type]
    at(server).connected()  # loads the library, which takes its time once
    with pytest.raises(LlmTimeout):
        ask(server, deadline_s=0.4)
    assert len(server.seen) == 1


def test_a_check_ends_the_waiting(server: ChatService) -> None:
    server.always = lambda _: Sent(b"{}", first_s=30.0)
    with pytest.raises(Cancelled):
        at(server).ask(ASK, 20.0, StopAfter())


def test_only_what_was_entered_is_sent(
    server: ChatService, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "not-for-this-server")
    monkeypatch.setenv(
        "OPENAI_CUSTOM_HEADERS",
        "x-private: not-for-this-server\nAuthorization: not-for-this-server",
    )
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    ask(server, key=Key(server.url, "sk-1"))
    ask(server)
    with_key, without = (asked.headers for asked in server.seen)
    assert with_key.pop("authorization") == "Bearer sk-1"
    assert "not-for-this-server" not in str(server.seen)
    assert set(without) <= {
        "host",
        "accept",
        "accept-encoding",
        "connection",
        "content-type",
        "content-length",
        "user-agent",
    }
    assert without["user-agent"] == "sd-webui-stylus"


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(server: ChatService, code: int) -> None:
    with serving(says(GOOD)) as other:
        server.always = lambda _: Sent(
            b"{}", code, {"Location": f"{other.url}/v1/chat/completions"}
        )
        with pytest.raises(LlmRefused):
            ask(server, key=Key(server.url, "sk-hidden"))
        assert other.seen == []


def test_a_key_of_another_address_is_not_taken() -> None:
    with pytest.raises(InvalidInput):
        LlmEndpoint("https://api.example.com/v1", "m", Key("https://api.openai.com", "sk-hidden"))


def test_a_key_is_neither_logged_nor_shown(
    server: ChatService, caplog: pytest.LogCaptureFixture
) -> None:
    key = Key(server.url, "sk-very-hidden-indeed")
    caplog.set_level(logging.DEBUG, logger="stylus_ext")
    server.script = [status(401, "wrong key sk-very-hidden-indeed")]
    with pytest.raises(LlmRefused) as caught:
        ask(server, key=key)
    ask(server, key=key)
    assert "very-hidden" not in caplog.text + str(caught.value) + repr(OPEN[-1].endpoint) + str(
        OPEN[-1].name
    )


@pytest.mark.parametrize(
    "step",
    [
        status(401, "Invalid token token-abc123"),
        status(404, "token-abc123 may not use m"),
        lambda _: Sent(b'{"error": "wrong token token-abc123"}'),
        says({"role": "assistant", "content": None, "refusal": "I was told token-abc123."}),
        status(503, "token-abc123 is over its limit", retry_after="99"),
    ],
)
def test_a_key_that_looks_like_none_is_not_repeated_either(
    server: ChatService, step: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A server of one's own takes any word as its key, and may say it."""
    caplog.set_level(logging.DEBUG, logger="stylus_ext")
    server.always = step
    with pytest.raises(LlmProblem) as caught:
        ask(server, key=Key(server.url, "token-abc123"))
    assert "abc123" not in caplog.text + str(caught.value)
    assert "(a key)" in str(caught.value)


def test_a_number_beyond_all_numbers_is_no_answer(server: ChatService) -> None:
    server.always = says('Here it is: {"word": "corgi", "number": 1' + "0" * 400 + "}")
    with pytest.raises(LlmUnreadable):
        ask(server)


def test_the_cost_is_that_of_all_tries(server: ChatService) -> None:
    server.script = [says("no")]
    reply = ask(server, price=Price(1.0, 10.0))
    assert reply.cost == pytest.approx((200 * 1.0 + 40 * 10.0) / 1e6)


def test_tokens_are_estimated_where_nobody_counts_them(server: ChatService) -> None:
    server.always = says(GOOD, usage=None)
    assert ask(server).tokens_in > 50
    server.always = says(GOOD, usage={"prompt_tokens": "many", "completion_tokens": -1})
    assert 0 < ask(server).tokens_out < 20


def test_a_dropped_addition_is_named(server: ChatService) -> None:
    server.always = says({**GOOD, "mood": "fine"})
    assert ask(server).dropped == ("mood",)
    assert ask(server).answer == ANSWER


def test_many_may_ask_at_once(server: ChatService) -> None:
    client, replies, wrong = at(server), list[Reply[Words]](), list[StylusError]()

    def one() -> None:
        try:
            replies.append(client.ask(ASK, 20.0))
        except LlmProblem as problem:
            wrong.append(problem)

    threads = [threading.Thread(target=one) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert [reply.answer for reply in replies] == [ANSWER] * 16


def test_ollama_is_asked_to_free_its_memory(server: ChatService) -> None:
    server.ollama = True
    assert at(server, url=f"{server.url}/v1", model="qwen3:8b").release() is True
    assert server.freed == [{"model": "qwen3:8b", "keep_alive": 0, "stream": False}]


def test_a_server_that_knows_nothing_of_it_is_asked_once(server: ChatService) -> None:
    client = at(server)
    assert (client.release(), client.release()) == (False, False)
    assert len(server.freed) == 1


def test_a_server_elsewhere_is_never_asked_to() -> None:
    assert LlmClient(LlmEndpoint("https://api.openai.com", "gpt-4o")).release() is False
