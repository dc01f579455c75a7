"""What applies: inferred, then the asset's, then the role's; and for chats only what is said."""

import tracemalloc

import pytest

from control.inventory import Operation, Position, Reasoning, RequestPolicy
from control.policy.effective import effective, policy_id
from control.policy.inferred import QWEN3
from tests.unit.control.builders import asset

CHAT, EMBEDDINGS = Operation.CHAT, Operation.EMBEDDINGS
THINKING = RequestPolicy(body_defaults='{"chat_template_kwargs":{"enable_thinking":true}}')
COOL = RequestPolicy(body_defaults='{"temperature":0.2}')
MENTOR = RequestPolicy(system_prompt="Guide.", position=Position.APPEND)


def applied(one, role=None, operation=CHAT, *, provider=False):
    return effective(one, role, operation, provider=provider)


def test_nothing_applies_to_a_plain_model():
    assert applied(asset()) is None
    assert applied(asset(request_policy=RequestPolicy()), RequestPolicy()) is None
    assert applied(asset(request_policy=RequestPolicy(position=Position.REPLACE))) is None
    assert applied(asset(request_policy=RequestPolicy(body_defaults="{}"))) is None


def test_the_later_one_wins():
    cool_qwen = asset("qwen3", request_policy=COOL)
    hot = RequestPolicy(body_defaults='{"temperature":1}')

    assert applied(asset("qwen3")) == QWEN3
    assert applied(asset("qwen3", request_policy=THINKING)) == THINKING
    assert applied(cool_qwen, MENTOR) == RequestPolicy(
        '{"chat_template_kwargs":{"enable_thinking":false},"temperature":0.2}',
        system_prompt="Guide.",
        position=Position.APPEND,
    )
    assert applied(asset(request_policy=COOL), hot) == hot
    assert applied(asset("qwen3"), THINKING) == THINKING


def test_nothing_is_inferred_for_a_provider_or_for_anything_but_chats():
    assert applied(asset("qwen3"), provider=True) is None
    assert applied(asset("qwen3"), COOL, provider=True) == COOL
    assert applied(asset("qwen3-embedding"), operation=EMBEDDINGS) is None


@pytest.mark.parametrize("operation", [EMBEDDINGS, Operation.TRANSCRIPTION])
def test_what_belongs_to_chats_is_dropped_elsewhere(operation):
    chatty = RequestPolicy(
        '{"a":1}', '{"b":1}', "p", Position.APPEND, "{{ user_input }}!", Reasoning.PASS, True
    )

    assert applied(asset(), chatty, operation) == RequestPolicy('{"a":1}', '{"b":1}')
    assert applied(asset(request_policy=MENTOR), operation=operation) is None


@pytest.mark.parametrize(
    ("policy", "number"),
    [
        (RequestPolicy(), 0x2BB5E21344EC8CD2),
        (COOL, 0xF584F3065B987630),
        (MENTOR, 0x277ACB31A1F02059),
    ],
    ids=["nothing", "defaults", "prompt"],
)
def test_the_number_of_a_policy_is_made_of_its_content(policy, number):
    """Written down here, because gateways compare what different controls say."""
    assert policy_id(policy) == number


def test_what_applies_is_the_same_object_for_as_long_as_anybody_holds_it():
    mine, yours = (asset("qwen3", request_policy=RequestPolicy('{"a":1}')) for _ in range(2))

    assert applied(mine, MENTOR) is applied(yours, RequestPolicy(**fields(MENTOR)))


def test_policies_that_nobody_refers_to_any_more_take_no_memory():
    """A node may tell another one with each beat."""
    tracemalloc.start()
    for n in range(200):
        policy = applied(asset(request_policy=RequestPolicy(system_prompt=f"{n}" + "x" * 50_000)))
        policy_id(policy)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert held < 1_000_000


def fields(policy):
    return {name: getattr(policy, name) for name in RequestPolicy.__dataclass_fields__}


def test_policies_that_differ_have_different_numbers():
    policies = [
        RequestPolicy(),
        RequestPolicy(body_defaults="x"),
        RequestPolicy(body_overrides="x"),
        RequestPolicy(system_prompt="x"),
        RequestPolicy(system_prompt="x", position=Position.APPEND),
        RequestPolicy(user_template="x"),
        RequestPolicy(reasoning=Reasoning.STRIP),
        RequestPolicy(reasoning=Reasoning.PASS),
        RequestPolicy(without_tools=True),
    ]

    numbers = {policy_id(policy) for policy in policies}

    assert len(numbers) == len(policies)
    assert all(0 < number < 1 << 64 for number in numbers)
