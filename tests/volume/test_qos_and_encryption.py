"""QoS specs and the types that name them; how a type's volumes are encrypted; hosts and services."""


def new_type(admin, name="gold"):
    return admin.post("/types", {"volume_type": {"name": name}}).body["volume_type"]["id"]


def test_life_of_qos_specs(lab, volumes):
    admin = lab.client("admin")
    assert volumes.get("/qos-specs").status == 403
    answer = admin.post("/qos-specs", {"qos_specs": {"name": "fast", "consumer": "both", "iops": 100}})
    assert answer.status == 200, answer.words
    made = answer.body["qos_specs"]
    assert made == {"id": made["id"], "name": "fast", "consumer": "both", "specs": {"iops": "100"}}
    assert {link["rel"] for link in answer.body["links"]} == {"self", "bookmark"}
    assert admin.post("/qos-specs", {"qos_specs": {"name": "fast"}}).status == 409
    assert admin.post("/qos-specs", {"qos_specs": {"name": "x", "consumer": "nobody"}}).status == 400
    path = f"/qos-specs/{made['id']}"
    assert admin.put(path, {"qos_specs": {"size": "1"}}).body == {"qos_specs": {"size": "1"}}
    assert admin.get(path).body["qos_specs"]["specs"] == {"iops": "100", "size": "1"}
    assert admin.put(f"{path}/delete_keys", {"keys": ["iops"]}).status == 202
    assert admin.put(f"{path}/delete_keys", {"keys": ["iops"]}).status == 404
    assert [row["specs"] for row in admin.get("/qos-specs").body["qos_specs"]] == [{"size": "1"}]
    assert admin.delete(path).status == 202
    assert admin.get(path).status == 404


def test_types_name_qos_specs(lab, volumes):
    admin = lab.client("admin")
    first, second = (
        admin.post("/qos-specs", {"qos_specs": {"name": name}}).body["qos_specs"]["id"] for name in "ab"
    )
    kind = new_type(admin)
    assert admin.get(f"/qos-specs/{first}/associate").status == 400
    assert admin.get(f"/qos-specs/{first}/associate?vol_type_id={first}").status == 404
    assert admin.get(f"/qos-specs/{first}/associate?vol_type_id={kind}").status == 202
    assert admin.get(f"/qos-specs/{second}/associate?vol_type_id={kind}").status == 400
    assert admin.get(f"/qos-specs/{first}/associations").body == {
        "qos_associations": [{"association_type": "volume_type", "name": "gold", "id": kind}]
    }
    assert admin.get(f"/types/{kind}").body["volume_type"]["qos_specs_id"] == first
    assert admin.delete(f"/qos-specs/{first}").status == 400
    assert admin.get(f"/qos-specs/{first}/disassociate?vol_type_id={kind}").status == 202
    assert admin.get(f"/qos-specs/{second}/associate?vol_type_id={kind}").status == 202
    assert admin.get(f"/qos-specs/{second}/disassociate_all").status == 202
    assert admin.get(f"/types/{kind}").body["volume_type"]["qos_specs_id"] is None
    assert admin.get(f"/qos-specs/{second}/associate?vol_type_id={kind}").status == 202
    assert admin.delete(f"/qos-specs/{second}?force=true").status == 202
    assert admin.get(f"/types/{kind}").body["volume_type"]["qos_specs_id"] is None


def test_encryption_of_a_type(lab, volumes, settled):
    admin = lab.client("admin")
    kind = new_type(admin)
    path = f"/types/{kind}/encryption"
    assert admin.get(path).body == {}
    given = {"provider": "luks", "control_location": "front-end", "cipher": "aes-xts-plain64"}
    made = admin.post(path, {"encryption": {**given, "key_size": "256"}})
    assert made.status == 200, made.words
    found = made.body["encryption"]
    assert found["key_size"] == 256 and found["volume_type_id"] == kind
    assert admin.post(path, {"encryption": given}).status == 400
    assert admin.get(f"{path}/provider").body == {"provider": "luks"}
    assert admin.get(f"{path}/nonsense").status == 404
    changed = admin.put(f"{path}/{found['encryption_id']}", {"encryption": {"key_size": 128}})
    assert changed.status == 200 and admin.get(path).body["key_size"] == 128
    assert volumes.get(path).status == 403
    assert admin.delete(f"{path}/{found['encryption_id']}").status == 202
    assert admin.delete(f"{path}/{found['encryption_id']}").status == 404
    # What volumes there are of it cannot change any more.
    plain = volumes.create(1, volume_type="gold")
    settled(plain["id"])
    assert admin.post(path, {"encryption": given}).status == 400
    assert volumes.get(f"/volumes/{plain['id']}/encryption").body == {"encryption_key_id": None}
    assert admin.post("/types/nowhere/encryption", {"encryption": given}).status == 404


def test_hosts_and_capabilities(lab, volumes, settled):
    admin = lab.client("admin")
    settled(volumes.create(3)["id"])
    names = {row["host_name"] for row in admin.get("/os-hosts").body["hosts"]}
    assert "node@fast" in names
    total, mine = (row["resource"] for row in admin.get("/os-hosts/node@fast").body["host"])
    assert (total["project"], total["volume_count"], total["total_volume_gb"]) == ("(total)", "1", "3")
    assert mine["project"] == volumes.project_id
    assert admin.get("/os-hosts/nobody").status == 404
    shown = admin.get("/capabilities/node@fast").body
    assert shown["namespace"] == "OS::Storage::Capabilities::node@fast"
    assert shown["volume_backend_name"] == "fast"
    assert admin.get("/capabilities/nobody").status == 404
    assert admin.put("/os-hosts/node@fast", {"status": "disable"}).body["status"] == "disabled"
    assert "node@fast" not in {row["host_name"] for row in admin.get("/os-hosts").body["hosts"]}


def test_a_back_end_is_frozen(lab, volumes):
    admin = lab.client("admin")

    def service():
        (row,) = admin.get("/os-services?binary=cinder-volume").body["services"]
        return row

    assert admin.put("/os-services/freeze", {"host": "nobody"}).status == 400
    assert admin.put("/os-services/freeze", {"host": "node@fast"}).status == 202
    assert admin.put("/os-services/freeze", {"host": "node@fast"}).status == 400
    assert (service()["frozen"], service()["status"]) == (True, "disabled")
    assert admin.put("/os-services/thaw", {"host": "node@fast"}).status == 202
    assert (service()["frozen"], service()["status"]) == (False, "enabled")
    assert admin.put("/os-services/failover_host", {"host": "node@fast"}).status == 400
