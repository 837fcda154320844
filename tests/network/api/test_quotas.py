"""Quotas hold, are counted from rows, and are admins' to change."""

import threading

from tests.network.api.conftest import make, refused


def test_over_quota_is_a_conflict(shared_lab, admin):
    member = shared_lab.member("small")
    admin.put("/v2.0/quotas/small", {"quota": {"network": 2}}).ok()
    first, _ = make(member, "network"), make(member, "network")
    words = refused(member.post("/v2.0/networks", {"network": {}}), 409, "OverQuota")
    assert words == "Quota exceeded for resources: ['network']."
    member.delete(f"/v2.0/networks/{first['id']}").ok(204)
    make(member, "network")
    refused(member.post("/v2.0/networks", {"networks": [{}, {}]}), 409, "OverQuota")
    used = admin.get("/v2.0/quotas/small/details").ok()["quota"]["network"]
    assert used == {"limit": 2, "used": 2, "reserved": 0}
    assert [q["project_id"] for q in admin.get("/v2.0/quotas").ok()["quotas"]] == ["small"]
    admin.delete("/v2.0/quotas/small").ok(204)
    assert admin.get("/v2.0/quotas/small").ok()["quota"]["network"] == 100


def test_a_crowd_does_not_get_past_the_limit(shared_lab, admin):
    member = shared_lab.member("crowded")
    admin.put("/v2.0/quotas/crowded", {"quota": {"network": 5}}).ok()
    answers = []
    body = {"network": {}}
    threads = [
        threading.Thread(target=lambda: answers.append(member.post("/v2.0/networks", body).status))
        for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(answers) == [201] * 5 + [409] * 7
    admin.delete("/v2.0/quotas/crowded").ok(204)


def test_members_do_not_change_quotas(member, project):
    assert member.put(f"/v2.0/quotas/{project}", {"quota": {"network": 1}}).status == 403
    assert member.get("/v2.0/quotas/others").status == 403


def test_wrong_quotas_are_refused(admin):
    for wrong in ({"network": -2}, {"network": "x"}, {"pigeon": 1}, {"network": True}, [], None):
        assert admin.put("/v2.0/quotas/p", {"quota": wrong}).status == 400
