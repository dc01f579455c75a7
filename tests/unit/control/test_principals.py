import pytest

from control.api.errors import Forbidden, Unauthenticated
from control.principals import Doorkeeper
from control.scopes import GRANTS, Scope

KEYS = {"node": ["nk"], "gateway": ["gk"], "operator": ["ok"], "admin": ["ak"]}
PRESENTED = {
    "node": ("x-geniehive-node-key", "nk"),
    "gateway": ("x-geniehive-gateway-key", "gk"),
    "operator": ("authorization", "Bearer ok"),
    "admin": ("authorization", "Bearer ak"),
}
CLOSED = Doorkeeper(KEYS, frozenset(), b"secret")
OPEN = Doorkeeper({}, frozenset(GRANTS), b"secret")


def admit(doorkeeper, scope, *metadata):
    return doorkeeper.admit("/service/Method", scope, metadata)


@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize("kind", GRANTS)
def test_a_key_gives_the_rights_of_its_kind_and_no_others(kind, scope):
    if scope in GRANTS[kind] or scope is Scope.PUBLIC:
        principal = admit(CLOSED, scope, PRESENTED[kind])
        assert principal.kind == kind
        assert principal.scopes == GRANTS[kind] | {Scope.PUBLIC}
    else:
        with pytest.raises(Forbidden):
            admit(CLOSED, scope, PRESENTED[kind])


@pytest.mark.parametrize("kind", GRANTS)
def test_a_missing_or_wrong_key_is_unauthenticated(kind):
    header, value = PRESENTED[kind]
    scope = min(GRANTS[kind])
    for metadata in [(), ((header, f"{value}x"),), ((header, ""),), ((header, b"nk"),)]:
        with pytest.raises(Unauthenticated):
            admit(CLOSED, scope, *metadata)


def test_everybody_has_public_rights():
    assert admit(CLOSED, Scope.PUBLIC).kind == "anyone"


@pytest.mark.parametrize("scope", Scope)
def test_where_all_kinds_are_open_everybody_may_everything(scope):
    assert scope in admit(OPEN, scope).scopes


def test_an_open_kind_is_open_and_no_other():
    mixed = Doorkeeper(KEYS, frozenset({"node"}), b"secret")

    assert Scope.JOIN in admit(mixed, Scope.JOIN).scopes
    with pytest.raises(Unauthenticated):
        admit(mixed, Scope.SERVE)


@pytest.mark.parametrize(
    ("keyed", "rights"),
    [
        ((), {"join", "leave", "read", "measure", "serve", "administer"}),
        (("node",), {"leave", "read", "measure", "serve", "administer"}),
        (("gateway",), {"join", "leave", "read", "measure", "administer"}),
        (("operator", "admin"), {"join", "leave", "serve"}),
        (("admin",), {"join", "leave", "read", "measure", "serve"}),
        (("node", "operator", "admin"), {"serve"}),
        (("gateway", "operator", "admin"), {"join", "leave"}),
        (("node", "gateway", "admin"), {"read", "measure"}),
        (("node", "gateway", "operator", "admin"), set()),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, tuple) else "",
)
def test_an_open_kind_lends_its_own_rights_and_none_that_another_kind_needs_a_key_for(
    keyed, rights
):
    open_kinds = frozenset(GRANTS) - set(keyed)
    doorkeeper = Doorkeeper({kind: KEYS[kind] for kind in keyed}, open_kinds, b"secret")

    assert admit(doorkeeper, Scope.PUBLIC).scopes == rights | {Scope.PUBLIC}


@pytest.mark.parametrize("doorkeeper", [CLOSED, OPEN], ids=["closed", "open"])
@pytest.mark.parametrize("header", ["x-geniehive-node-key", "authorization"])
def test_a_repeated_or_10_kb_key_is_unauthenticated(doorkeeper, header):
    for metadata in [((header, "nk"), (header, "nk")), ((header, "x" * 10_240),)]:
        with pytest.raises(Unauthenticated) as raised:
            admit(doorkeeper, Scope.PUBLIC, *metadata)
        assert "nk" not in str(raised.value)


def test_a_principal_is_named_by_a_hash_and_not_by_its_key():
    principal = admit(CLOSED, Scope.JOIN, PRESENTED["node"])

    assert principal.id.startswith("static:")
    assert len(principal.id) == len("static:") + 8
    assert "secret" not in repr(CLOSED)


def test_a_bearer_is_the_key_with_or_without_the_word():
    assert admit(CLOSED, Scope.READ, ("authorization", "Bearer ok")).kind == "operator"
    with pytest.raises(Unauthenticated):
        admit(CLOSED, Scope.READ, ("authorization", "Basic ok"))


@pytest.mark.parametrize(
    ("method", "scope", "metadata", "said"),
    [
        ("/a.B/WatchKeys", Scope.SERVE, (), "auth.gateway_api_keys; none was sent"),
        (
            "/a.B/RegisterHost",
            Scope.JOIN,
            (("x-geniehive-node-key", "wrong"),),
            "auth.node_api_keys; the one sent is not known (GENIEHIVE_NODE_KEY)",
        ),
        ("/a.B/ListHosts", Scope.READ, (), "auth.operator_api_keys; none was sent"),
    ],
)
def test_a_refusal_says_which_key_is_wanted(method, scope, metadata, said):
    with pytest.raises(Unauthenticated) as caught:
        Doorkeeper({}, frozenset(), b"s" * 32).admit(method, scope, metadata)

    assert said in str(caught.value)
    assert str(caught.value).startswith(f"{method[5:]} needs one of control's ")
