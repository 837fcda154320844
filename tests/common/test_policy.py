"""The policy language against oslo.policy as its oracle, and what Celaje adds: errors, scopes, reload."""

import os
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oslo_config import cfg
from oslo_policy import _parser
from oslo_policy import policy as oslo

from celaje.common import errors
from celaje.common.context import RequestContext
from celaje.common.policy import Policy, PolicyError, Rule, compile_check
from celaje.common.policy.parser import SyntaxProblem, parse

MEMBER = RequestContext(user_id="u1", project_id="p1", roles=("member", "reader"))
SYSTEM = RequestContext(user_id="u2", system_scope="all", roles=("admin",))
DOMAIN = RequestContext(user_id="u3", domain_id="d1", roles=("manager",))

VALUES = st.sampled_from(["p1", "p2", "u1", "all", "None", "True", "", None, True, False, 1])
KEYS = ["project_id", "user_id", "user.id", "shared", "name", "target.project.domain_id"]
TERMS = st.sampled_from(
    [
        "@",
        "!",
        "role:admin",
        "role:MEMBER",
        "role:%(name)s",
        "role:100%%",
        "roles:admin",
        "rule:named",
        "is_admin:True",
        "system_scope:all",
        "project_id:%(project_id)s",
        "user_id:%(user.id)s",
        "user_id:u1",
        "domain_id:%(target.project.domain_id)s",
        "True:%(shared)s",
        "None:%(name)s",
        "1:1",
        "'p1':%(project_id)s",
        "'p1-u1':%(project_id)s-%(user_id)s",
        "'%(name)s':%%(name)s",
        "token.project.domain.id:%(project_id)s",
        "token.groups.id:%(user_id)s",
        "token.groups.id:u1",
        "absent:%(absent)s",
        "absent.deep:x",
        "rule:other",
    ]
)
EXPRESSIONS = st.recursive(
    TERMS,
    lambda inner: st.one_of(
        inner.map(lambda text: f"not {text}" if " " not in text else f"NOT ({text})"),
        st.lists(inner, min_size=2, max_size=4).map(" and ".join),
        st.lists(inner, min_size=2, max_size=4).map(" Or ".join),
        inner.map(lambda text: f"({text})"),
    ),
    max_leaves=12,
)
LISTS = st.lists(st.one_of(TERMS, st.lists(TERMS, max_size=3)), max_size=3)
TARGETS = st.dictionaries(st.sampled_from(KEYS), VALUES)
CREDENTIALS = st.fixed_dictionaries(
    {},
    optional={
        "roles": st.lists(st.sampled_from(["admin", "Member", "p1", "100%", "None"]), max_size=3),
        "user_id": VALUES,
        "project_id": VALUES,
        "domain_id": VALUES,
        "is_admin": st.booleans(),
        "system_scope": st.sampled_from([None, "all"]),
        "token": st.fixed_dictionaries(
            {
                "project": st.fixed_dictionaries({"domain": st.fixed_dictionaries({"id": VALUES})}),
                "groups": st.lists(st.fixed_dictionaries({}, optional={"id": VALUES}), max_size=2),
            }
        ),
    },
)


class _OracleRules:
    """What oslo.policy's checks ask of an enforcer."""

    def __init__(self, **rules):
        self.rules = {name: _parser.parse_rule(text) for name, text in rules.items()}


NAMED = {"named": "role:admin or user_id:%(user_id)s", "other": "not rule:named and @"}


def _ours(expression):
    def resolve(name):
        return compile_check(parse(NAMED[name]), resolve)

    return compile_check(parse(expression), resolve)


def _nested(target):
    """The same target with its dotted keys as nested mappings."""
    result = {key: value for key, value in target.items() if "." not in key}
    for key, value in target.items():
        if "." in key:
            *path, last = key.split(".")
            place = result
            for name in path:
                place = place.setdefault(name, {})
            place[last] = value
    return result


@settings(max_examples=400)
@given(st.one_of(EXPRESSIONS, LISTS), TARGETS, CREDENTIALS)
def test_decides_as_oslo_policy_does(expression, target, credentials):
    oracle = bool(_parser.parse_rule(expression)(target, dict(credentials), _OracleRules(**NAMED)))
    assert _ours(expression)(target, credentials) is oracle
    assert _ours(expression)(_nested(target), credentials) is oracle


@settings(max_examples=100)
@given(
    st.sampled_from([(), ("project",), ("system",), ("domain", "project"), ("system", "project")]),
    st.sampled_from([MEMBER, SYSTEM, DOMAIN, SYSTEM.but(domain_id="d1"), RequestContext()]),
    EXPRESSIONS,
    TARGETS,
)
def test_scopes_decide_as_oslo_policy_does(scope_types, context, expression, target):
    conf = cfg.ConfigOpts()
    conf([], project="celaje", default_config_files=[], default_config_dirs=[])
    enforcer = oslo.Enforcer(conf, policy_file="absent.yaml")
    enforcer.suppress_deprecation_warnings = True
    for name, text in NAMED.items():
        enforcer.register_default(oslo.RuleDefault(name, text))
    enforcer.register_default(oslo.RuleDefault("act", expression, scope_types=list(scope_types) or None))
    credentials = {**context.credentials(), "roles": list(context.roles)}
    rules = [Rule(name, text, scope_types=()) for name, text in NAMED.items()]
    policy = Policy([*rules, Rule("act", expression, scope_types=scope_types)])
    assert policy.allows("act", target, context) is bool(enforcer.enforce("act", target, credentials))


@pytest.mark.parametrize(
    "text",
    [
        "role:admin or",
        "and role:admin",
        "(role:admin",
        "role:admin)",
        "role:admin role:member",
        "not",
        "   ",
        "admin",
        ":x",
        "'quoted'",
        "project_id:%(project_id)d",
        "project_id:%s",
        "project_id:%(project_id",
        "http://decide.example/%(name)s",
        "https://decide.example/",
        "field:networks:shared=True",
        "(" * 2000 + "@" + ")" * 2000,
        [["role:admin"], 5],
        [["role:admin", 5]],
        7,
    ],
)
def test_what_is_not_the_language_is_refused_at_load_with_the_rules_name(text):
    with pytest.raises(PolicyError, match="volume:delete"):
        Policy([Rule("volume:delete", text)])


def test_precedence_of_and_over_or():
    check = _ours("role:a or role:b and role:c")
    assert check({}, {"roles": ["a"]})
    assert not check({}, {"roles": ["b"]})
    assert check({}, {"roles": ["b", "c"]})


def test_a_syntax_problem_names_the_place():
    with pytest.raises(SyntaxProblem, match="unexpected end"):
        parse("role:a and (role:b")


def test_forbidden_tells_rule_check_and_roles():
    policy = Policy([Rule("volume:delete", "role:admin", scope_types=("project", "domain"))])
    with pytest.raises(errors.Forbidden) as caught:
        policy.enforce("volume:delete", {}, MEMBER)
    assert "volume:delete" in caught.value.message
    assert caught.value.details == {
        "action": "volume:delete",
        "reason": "check",
        "check": "role:admin",
        "origin": "default",
        "roles": ["member", "reader"],
        "scope": "project",
        "scope_types": ["project", "domain"],
        "needs": ["admin"],
    }
    assert caught.value.message.endswith("It takes the role admin.")
    policy.enforce("volume:delete", {}, MEMBER.but(roles=("Admin",)))


def test_a_system_token_may_not_try_a_project_rule():
    policy = Policy([Rule("volume:delete", "role:admin")])
    with pytest.raises(errors.Forbidden) as caught:
        policy.enforce("volume:delete", {}, SYSTEM)
    assert (caught.value.details["reason"], caught.value.details["scope"]) == ("scope", "system")


def test_system_is_the_old_name_of_system_scope():
    policy = Policy([Rule("list", "system:all", scope_types=("system",))])
    assert policy.allows("list", {}, SYSTEM)


def test_unknown_rules_are_named_with_the_nearest():
    with pytest.raises(PolicyError, match=r"volume:get .*rule:ownr.*Did you mean owner"):
        Policy([Rule("owner", "@"), Rule("volume:get", "rule:ownr")])
    with pytest.raises(PolicyError, match=r"volume:gett.*Did you mean volume:get\?"):
        Policy([Rule("volume:get", "@")], {"volume:gett": "!"})
    with pytest.raises(PolicyError, match="no policy rule volume:put"):
        Policy([Rule("volume:get", "@")]).allows("volume:put", {}, MEMBER)
    with pytest.raises(PolicyError, match="declared twice"):
        Policy([Rule("volume:get", "@"), Rule("volume:get", "!")])


@pytest.mark.parametrize("text", ["rule:a", "not rule:b", "role:x or (rule:b and @)"])
def test_circles_are_found_at_load(text):
    with pytest.raises(PolicyError, match="circle"):
        Policy([Rule("a", text), Rule("b", "rule:c"), Rule("c", "@ and rule:a")])


def test_an_operators_own_named_rule_is_accepted_where_it_is_used(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text('"ops": "role:ops"\n"volume:get": "rule:ops or rule:owner"\n')
    policy = Policy([Rule("volume:get", "rule:owner"), Rule("owner", "!", scope_types=())], path=path)
    assert policy.allows("volume:get", {}, MEMBER.but(roles=("ops",)))
    assert policy.explain("volume:get") == {
        "volume:get": ("rule:ops or rule:owner", str(path)),
        "ops": ("role:ops", str(path)),
        "owner": ("!", "default"),
    }


def test_overrides_win_over_the_file_and_the_file_over_defaults(tmp_path):
    path = tmp_path / "policy.json"
    path.write_text('{"a": "@", "b": [["role:member", "role:reader"], ["role:none"]]}')
    policy = Policy([Rule("a", "!"), Rule("b", "!"), Rule("c", "!")], {"a": "!", "c": "@"}, path)
    assert [policy.allows(rule, {}, MEMBER) for rule in "abc"] == [False, True, True]
    assert policy.explain("b") == {"b": ("(role:member and role:reader) or (role:none)", str(path))}


@pytest.mark.parametrize(
    "content", ["- a\n", "a: [\n", "1: '@'\n", "a:\n", "a: 'role'\n", "zz: '@'\n", "\xff"]
)
def test_a_file_that_cannot_be_used_is_named(tmp_path, content):
    path = tmp_path / "policy.yaml"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(PolicyError, match=r"policy\.yaml"):
        Policy([Rule("a", "!")], path=path)


def test_refresh_follows_the_file_and_keeps_the_rules_when_it_breaks(tmp_path, caplog):
    path = tmp_path / "policy.yaml"
    policy = Policy([Rule("a", "!")], path=path)
    assert not policy.refresh()

    def write(text, stamp):
        path.write_text(text)
        os.utime(path, (stamp, stamp))

    write('a: "@"', 1000)
    assert policy.refresh()
    assert policy.allows("a", {}, MEMBER)
    assert not policy.refresh()
    write('a: "rule:b"', 2000)
    assert not policy.refresh()
    assert "rule:b" in caplog.text
    assert policy.allows("a", {}, MEMBER)
    write('a: "role:x"', 3000)
    assert policy.refresh()
    assert not policy.allows("a", {}, MEMBER)
    path.unlink()
    assert policy.refresh()
    assert policy.explain("a") == {"a": ("!", "default")}


def test_the_folders_files_win_over_the_file_in_the_order_of_their_names(tmp_path):
    path, folder = tmp_path / "policy.yaml", tmp_path / "policy.d"
    path.write_text('a: "@"\nb: "@"\nc: "@"\n')
    rules = [Rule(name, "!") for name in "abcd"]
    policy = Policy(rules, path=path, folders=[folder])
    assert [policy.allows(rule, {}, MEMBER) for rule in "abcd"] == [True, True, True, False]
    folder.mkdir()
    (folder / "10-first.yaml").write_text('b: "!"\nc: "!"\n')
    (folder / "20-second.yaml").write_text('c: "@"\nd: "@"\n')
    (folder / ".hidden.swp").write_text("no: policy: at: all")
    assert policy.refresh() and not policy.refresh()
    assert [policy.allows(rule, {}, MEMBER) for rule in "abcd"] == [True, False, True, True]
    assert policy.explain("c") == {"c": ("@", str(folder / "20-second.yaml"))}


def test_without_enforce_scope_only_the_check_decides():
    # Releases of oslo.policy until 5 had the option; 6 always refuses.
    rules = [Rule("act", "role:member", scope_types=("system",)), Rule("other", "!", scope_types=())]
    assert not Policy(rules).allows("act", {}, MEMBER)
    lenient = Policy(rules, enforce_scope=False)
    assert lenient.allows("act", {}, MEMBER)
    with pytest.raises(errors.Forbidden) as refused:
        lenient.enforce("act", {}, MEMBER.but(roles=()))
    assert (refused.value.details["reason"], refused.value.details["needs"]) == ("check", ["member"])


def test_the_sample_is_a_policy_file_that_changes_nothing_until_lines_are_uncommented(tmp_path):
    rules = [
        Rule("volume:get", "role:reader and project_id:%(project_id)s", "Show a volume. " * 12),
        Rule("quoted", "'a\"b':%(name)s", "", ()),
    ]
    text = Policy(rules).sample()
    assert all(line.startswith("#") for line in text.splitlines() if line)
    path = tmp_path / "policy.yaml"
    path.write_text("\n".join(line[1:] for line in text.splitlines() if line.startswith('#"')))
    policy = Policy([replace(rule, check="!") for rule in rules], path=path)
    assert [policy.explain(rule.name)[rule.name][0] for rule in rules] == [rule.check for rule in rules]


def test_rules_refuse_unknown_scope_types():
    with pytest.raises(ValueError, match="galaxy"):
        Rule("a", "@", scope_types=("galaxy",))
