from hypothesis import given
from hypothesis import strategies as st

from control.inventory import RequestPolicy
from control.table.policies import Policies
from control.table.resources import policy_name

POLICIES = [RequestPolicy(system_prompt=prompt) for prompt in "abc"]
# Who refers to what from now on, and whether what that changes is told then.
CHANGES = st.tuples(st.integers(0, 3), st.sampled_from([None, *POLICIES]), st.booleans())


@given(st.lists(CHANGES, max_size=40))
def test_all_that_are_referred_to_are_told_and_no_others_stay(changes):
    policies, table, referred = Policies(), set(), {}
    for who, policy, told in [*changes, (0, None, True)]:
        policies.swap(referred.get(who), policy)
        referred[who] = policy
        if told:
            new, gone = policies.new(), policies.unneeded()
            assert new.keys().isdisjoint(gone)
            table = table - gone.keys() | new.keys()
            assert table == {policy_name(one) for one in referred.values() if one}
