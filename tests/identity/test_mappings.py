"""What a mapping's rules make of an assertion."""

import pytest

from celaje.common import errors
from celaje.identity import mappings
from celaje.identity.mappings import NotMapped, evaluate


def rule(local, *remote):
    return {"local": local if isinstance(local, list) else [local], "remote": list(remote)}


USER = rule(
    {"user": {"name": "{0} {1}", "email": "{2}"}}, {"type": "First"}, {"type": "Last"}, {"type": "Mail"}
)
BOB = {"First": "Bob", "Last": "Thompson", "Mail": "bob@x", "Kind": "Staff;Admin"}


def test_places_are_filled_in():
    mapped = evaluate([USER], "1.0", BOB)
    assert mapped.user == {"name": "Bob Thompson", "email": "bob@x", "type": "ephemeral"}


def test_what_does_not_fit_says_nothing():
    with pytest.raises(NotMapped):
        evaluate([USER], "1.0", {"First": "Bob"})
    with pytest.raises(NotMapped):
        evaluate([rule({"user": {"name": "{3}"}}, {"type": "First"})], "1.0", BOB)
    with pytest.raises(NotMapped):
        evaluate([rule({"user": {"name": "{0}"}}, {"type": "First"})], "1.0", {"First": ""})


@pytest.mark.parametrize(
    ("condition", "fits"),
    [
        ({"any_one_of": ["Staff", "x"]}, True),
        ({"any_one_of": ["x"]}, False),
        ({"any_one_of": ["^Sta"], "regex": True}, True),
        ({"any_one_of": ["^Sta"]}, False),
        ({"not_any_of": ["x"]}, True),
        ({"not_any_of": ["Admin"]}, False),
        ({"not_any_of": ["min$"], "regex": True}, False),
    ],
)
def test_conditions(condition, fits):
    rules = [rule({"group": {"id": "g"}}, {"type": "Kind", **condition})]
    if fits:
        assert evaluate(rules, "1.0", BOB).group_ids == ["g"]
    else:
        with pytest.raises(NotMapped):
            evaluate(rules, "1.0", BOB)


def test_lists_are_narrowed_and_become_groups():
    domain = {"name": "d"}
    keep = rule({"groups": "{0}", "domain": domain}, {"type": "Kind", "whitelist": ["Admin"]})
    assert evaluate([keep], "1.0", BOB).group_names == [{"name": "Admin", "domain": domain}]
    drop = rule({"groups": "{0}", "domain": domain}, {"type": "Kind", "blacklist": ["Admin"]})
    assert [group["name"] for group in evaluate([drop], "1.0", BOB).group_names] == ["Staff"]
    both = rule({"groups": "{0}", "domain": domain}, {"type": "Kind"})
    assert [group["name"] for group in evaluate([both], "1.0", BOB).group_names] == ["Staff", "Admin"]
    one = rule({"groups": "{0}", "domain": domain}, {"type": "Kind"})
    sly = evaluate([one], "1.0", {"Kind": "['Staff', 'Admin']"}).group_names
    assert [group["name"] for group in sly] == ["['Staff', 'Admin']"]
    written = rule({"groups": "['a', \"{0}\"]", "domain": domain}, {"type": "First"})
    assert [group["name"] for group in evaluate([written], "1.0", BOB).group_names] == ["a", "Bob"]
    as_json = rule({"groups": "{0}"}, {"type": "G"})
    told = evaluate([as_json], "1.0", {"G": 'JSON:{"name": "g", "domain": {"id": "d"}}'})
    assert told.group_names == [{"name": "g", "domain": {"id": "d"}}]
    with pytest.raises(NotMapped):
        evaluate([as_json], "1.0", {"G": 'JSON:{"name": "g", "domain": "d"}'})
    ids = rule({"group_ids": "{0}"}, {"type": "Kind"})
    assert evaluate([ids], "1.0", BOB).group_ids == ["Staff", "Admin"]
    with pytest.raises(NotMapped):
        evaluate([rule({"groups": "{0}"}, {"type": "Kind"})], "1.0", BOB)


def test_later_versions_know_domains_and_projects_as_json():
    text = '[{"name": "p", "roles": [{"name": "reader"}]}]'
    rules = [
        rule(
            {"user": {"name": "{0}"}, "projects_json": "{1}", "domain": {"id": "d"}},
            {"type": "First"},
            {"type": "P"},
        )
    ]
    mapped = evaluate(rules, "3.0", {**BOB, "P": text})
    assert mapped.projects == [{"name": "p", "roles": [{"name": "reader"}], "domain": {"id": "d"}}]
    assert mapped.user["domain"] == {"id": "d"}
    with pytest.raises(NotMapped):
        evaluate(rules, "3.0", {**BOB, "P": '[{"name": 1}]'})


@pytest.mark.parametrize(
    "mapping",
    [
        {},
        {"rules": []},
        {"rules": [{"local": []}]},
        {"rules": [rule({"colour": "red"}, {"type": "a"})]},
        {"rules": [rule({"user": {}}, {"type": "a", "any_one_of": ["x"], "not_any_of": ["y"]})]},
        {"rules": [rule({"user": {}}, {"type": "a", "any_one_of": ["("], "regex": True})]},
        {"rules": [rule({"projects_json": "{0}"}, {"type": "a"})]},
    ],
)
def test_mappings_of_another_form_are_refused(mapping):
    with pytest.raises(errors.Invalid):
        mappings.check(mapping, "1.0")
