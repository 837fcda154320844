"""Stories: the hops shown are those that ran, each once, joined over the services."""

import pytest

from celaje.journals.sources import FLOWS, REQUESTS, NoJournal, of_state


def hops(nodes, *kinds):
    return [(one.kind, one.who, one.what) for node in nodes for one in node.walk() if one.kind in kinds]


def test_an_attach_is_told_over_two_services(past, teller):
    (story,) = teller.of_request(past.attached)
    assert (story.kind, story.who) == ("request", "compute api")
    steps = hops([story], "step", "flow", "driver")
    assert steps == [
        ("flow", "compute conductor", "server.attach_volume"),
        ("step", "volume api", "volume.create_attachment"),
        ("step", "volume api", "volume.update_attachment"),
        ("flow", "volume conductor", "attachment.connect"),
        ("step", "volume worker celaje@fake", "volume-worker.initialize_connection"),
        ("driver", "driver FakeDriver", "initialize_connection"),
        ("step", "compute worker celaje", "compute.attach_volume"),
        ("driver", "driver FakeDriver", "attach_volume"),
        ("step", "volume api", "volume.complete_attachment"),
    ]
    states = [
        node.facts["state"]
        for node in story.walk()
        if node.kind == "state" and node.facts["resource"] == "volume"
    ]
    assert states == ["reserved", "attaching", "in-use"]
    (wait,) = [node for node in story.walk() if node.what == 'waits for "reserved"']
    assert wait.limit == 105


def test_a_hop_lies_within_its_caller(past, teller):
    (story,) = teller.of_request(past.attached)
    flow = next(node for node in story.walk() if node.kind == "flow")
    for node in flow.walk():
        assert node.at is None or node.at >= flow.at
        if node.kind == "step":
            assert node.took is not None
            assert node.limit and node.ends
        if node.waited is not None:
            assert 0 <= node.waited <= node.took


def test_every_flow_and_hop_of_a_story_is_told_once(past, journals, teller):
    for request_id in (past.created, past.attached, past.refused_by_scheduler):
        (story,) = teller.of_request(request_id)
        requests, flows = journals.of_request(request_id)
        told = [node.facts["id"] for node in story.walk() if node.kind == "flow"]
        assert sorted(told) == sorted(row["id"] for _, row in flows)
        kinds = ("rest", "step", "undo", "request")
        bearers = [node for node in story.walk() if node.kind in kinds and node.facts.get("request_id")]
        seen = [node.facts["request_id"] for node in bearers]
        assert sorted(seen) == sorted(row["request_id"] for _, row in requests)


def test_the_steps_shown_are_the_steps_of_the_journal(past, journals, teller):
    """For each flow that has run in this cloud."""
    names = set()
    for service, row in journals.flows():
        node = teller.flow(service, row)
        shown = [child.facts["number"] for child in node.children if "number" in child.facts]
        kept = sorted(
            journals.steps(service, row["id"]), key=lambda step: (step["started_at"], step["number"])
        )
        assert shown == [step["number"] for step in kept]
        names.add(row["name"])
    assert {"server.create", "server.attach_volume", "volume.create", "port.bind", "nodes.publish"} <= names


def test_a_refused_build_shows_each_filter(past, teller):
    (story,) = teller.of_request(past.refused_by_scheduler)
    (step,) = [node for node in story.walk() if "verdict" in node.facts]
    verdict = step.facts["verdict"]
    assert verdict["considered"] == 1
    by_name = {one["name"]: one for one in verdict["filters"]}
    assert (by_name["ComputeFilter"]["before"], by_name["ComputeFilter"]["after"]) == (1, 1)
    refusing = by_name["ResourcesFilter"]
    assert (refusing["before"], refusing["after"]) == (1, 0)
    assert "512 asked" in refusing["removed"][0]["why"]
    assert story.is_open is False


def test_a_global_id_finds_all_that_it_began(past, teller):
    mine = "req-aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
    for _ in range(2):
        past.volume.post("/v3/volumes", {"volume": {"size": 1}}, headers={"X-Openstack-Request-Id": mine}).ok(
            202
        )
    past.cloud.running["volume"]._requests.write()
    assert len(teller.of_request(mine)) == 2


def test_arguments_and_tokens_are_not_even_read(journals):
    for _, row in journals.flows():
        assert not {"arguments", "token", "result"} & set(row)


def test_a_folder_without_a_cloud(tmp_path):
    with pytest.raises(NoJournal):
        of_state(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_tables_are_those_of_the_services(shared_cloud):
    for service in shared_cloud.running.values():
        for table in (REQUESTS, FLOWS.flows, FLOWS.steps):
            theirs = service.metadata.tables.get(table.name)
            if theirs is not None:
                assert theirs.c.keys() == table.c.keys()
