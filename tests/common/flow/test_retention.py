"""What is kept of an ended flow: no secret at its end, nothing after some days."""

from celaje.common.errors import Unavailable
from celaje.common.flow import flow
from celaje.common.flow.retention import INTERVAL, Retention, without_secrets
from tests.cloud import until
from tests.common.flow.conftest import TABLES, set_status, spoiled

DAY = 86400


@flow("jar.open", deadline=100, way_out=spoiled)
def open_jar(run, jar_id, connector=None, user_data=None):
    key = run.step(run.conductor.do("find key"), {"auth_password": "grandmother's"})
    run.step(run.conductor.do("turn key"), key["args"][0]["auth_password"], user_data)
    run.done(set_status, jar_id, "open")


def rows(k, table):
    in_order = table.select().order_by(*table.primary_key)
    return k.database.read(lambda tx: [dict(row) for row in tx.execute(in_order).mappings()])


def test_an_ended_flow_keeps_no_secret(kitchen, outside):
    k = kitchen(open_jar)
    asked = {"connector": {"host": "shelf", "chap": [{"password": "open sesame"}]}, "user_data": "cGlja2xl"}
    flow_id = k.submit("jar.open", "j1", **asked)
    assert "open sesame" in str(rows(k, TABLES.flows))
    k.engine.execute(flow_id)
    assert k.row(flow_id)["state"] == "done"
    written = str(rows(k, TABLES.flows)) + str(rows(k, TABLES.steps)[0])
    assert "open sesame" not in written
    assert "cGlja2xl" not in written
    assert "grandmother" not in written
    assert k.row(flow_id)["arguments"] == {
        "jar_id": "j1",
        "connector": {"host": "shelf", "chap": [{"password": "***"}]},
        "user_data": "***",
    }


def test_secrets_are_there_until_the_end(kitchen, outside, virtual):
    """A flow that is taken up again needs what its steps have found."""
    outside.errors["turn key"] = [Unavailable("no hands")]
    k = kitchen(open_jar)
    flow_id = k.submit("jar.open", "j1", user_data="cGlja2xl")
    k.engine.execute(flow_id)
    assert k.row(flow_id)["state"] == "waiting"
    assert "grandmother" in str(rows(k, TABLES.steps))
    virtual.advance(31)
    k.engine.execute(flow_id)
    assert k.row(flow_id)["state"] == "done"
    assert "grandmother" not in str(rows(k, TABLES.steps)[0])


def test_data_without_secrets_is_returned_as_it_is():
    data = {"volume": {"id": "1", "sizes": [1, 2, {"public_key": "ssh"}]}, "password": None, "none": None}
    assert without_secrets(data) is data
    assert without_secrets("password=x") == "password=x"


def test_flows_are_deleted_with_their_steps_and_signals_some_days_after_their_end(kitchen, outside, virtual):
    k = kitchen(open_jar)
    old = k.submit("jar.open", "j1")
    k.engine.execute(old)
    k.database.write(k.flows.signal, old, "late")
    virtual.advance(2 * DAY)
    young = k.submit("jar.open", "j2")
    k.engine.execute(young)
    unfinished = k.submit("jar.open", "j3")
    virtual.advance(DAY + 1)
    Retention(k.flows, 3).when_due()
    assert {row["id"] for row in rows(k, TABLES.flows)} == {young, unfinished}
    assert {row["flow_id"] for row in rows(k, TABLES.steps)} == {young}
    assert rows(k, TABLES.signals) == []


def test_zero_days_keep_everything(kitchen, outside, virtual):
    k = kitchen(open_jar)
    k.engine.execute(k.submit("jar.open", "j1"))
    virtual.advance(1000 * DAY)
    Retention(k.flows, 0).when_due()
    assert len(rows(k, TABLES.flows)) == 1


def test_it_is_looked_once_an_interval_unless_there_is_more(kitchen, outside, virtual, monkeypatch):
    monkeypatch.setattr("celaje.common.flow.retention.AT_ONCE", 2)
    k = kitchen(open_jar)
    for jar in ("j1", "j2", "j3"):
        k.engine.execute(k.submit("jar.open", jar))
    virtual.advance(3 * DAY)
    retention = Retention(k.flows, 1)
    left = []
    for _ in range(3):
        retention.when_due()
        left.append(len(rows(k, TABLES.flows)))
    assert left == [1, 0, 0]
    k.engine.execute(k.submit("jar.open", "j4"))
    retention = Retention(k.flows, INTERVAL / 2 / DAY)
    retention.when_due()
    virtual.advance(INTERVAL - 1)
    retention.when_due()
    assert len(rows(k, TABLES.flows)) == 1
    virtual.advance(2)
    retention.when_due()
    assert rows(k, TABLES.flows) == []


def test_the_engine_deletes_what_is_old(kitchen, outside, virtual):
    k = kitchen(open_jar, keep=1)
    k.engine.execute(k.submit("jar.open", "j1"))
    virtual.advance(DAY + 1)
    k.engine.start()
    until(lambda: rows(k, TABLES.flows) == [], what="the purge")
