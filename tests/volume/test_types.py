"""Volume types, extra specs, private types, defaults."""


def make(client, **fields):
    answer = client.post("/types", {"volume_type": fields})
    assert answer.status == 200, answer.words
    return answer.body["volume_type"]


def test_the_default_type_is_always_there(lab, volumes):
    (only,) = volumes.get("/types").body["volume_types"]
    assert only["name"] == "__DEFAULT__"
    assert volumes.get("/types/default").body["volume_type"]["id"] == only["id"]
    assert lab.client("admin").delete(f"/types/{only['id']}").status == 400


def test_life_of_a_type(lab, volumes):
    admin = lab.client("admin")
    made = make(
        admin, name="gold", description="fast", extra_specs={"speed": "high", "multiattach": "<is> True"}
    )
    assert admin.post("/types", {"volume_type": {"name": "gold"}}).status == 409
    assert volumes.post("/types", {"volume_type": {"name": "mine"}}).status == 403
    assert "qos_specs_id" not in volumes.get(f"/types/{made['id']}").body["volume_type"]
    # Users see what concerns them of the extra specs, operators all.
    assert volumes.get(f"/types/{made['id']}").body["volume_type"]["extra_specs"] == {
        "multiattach": "<is> True"
    }
    specs = f"/types/{made['id']}/extra_specs"
    assert admin.get(specs).body["extra_specs"]["speed"] == "high"
    assert admin.put(f"{specs}/speed", {"speed": "low"}).body == {"speed": "low"}
    assert admin.put(f"{specs}/speed", {"other": "low"}).status == 400
    assert admin.post(specs, {"extra_specs": {"a b": "c"}}).status == 400
    assert admin.delete(f"{specs}/speed").status == 202
    assert admin.get(f"{specs}/speed").status == 404
    renamed = admin.put(f"/types/{made['id']}", {"volume_type": {"name": "silver"}}).body["volume_type"]
    assert renamed["name"] == "silver"
    volumes.create(1, volume_type="silver")
    assert admin.delete(f"/types/{made['id']}").status == 400


def test_private_types(lab, volumes):
    admin = lab.client("admin")
    made = make(admin, name="secret", **{"os-volume-type-access:is_public": False})
    stranger = lab.client("stranger")
    assert stranger.get(f"/types/{made['id']}").status == 404
    assert stranger.post("/volumes", {"volume": {"size": 1, "volume_type": "secret"}}).status == 404
    add = {"addProjectAccess": {"project": stranger.project_id}}
    assert admin.post(f"/types/{made['id']}/action", add).status == 202
    assert admin.post(f"/types/{made['id']}/action", add).status == 409
    assert "secret" in [row["name"] for row in stranger.get("/types").body["volume_types"]]
    access = admin.get(f"/types/{made['id']}/os-volume-type-access").body["volume_type_access"]
    assert stranger.project_id in [row["project_id"] for row in access]
    remove = {"removeProjectAccess": {"project": stranger.project_id}}
    assert admin.post(f"/types/{made['id']}/action", remove).status == 202
    assert stranger.get(f"/types/{made['id']}").status == 404


def test_a_project_may_have_a_default_of_its_own(lab, volumes):
    admin = lab.client("admin")
    made = make(admin, name="usual")
    path = f"/v3/default-types/{volumes.project_id}"
    assert admin.put(path, {"default_type": {"volume_type": "usual"}}).status == 200
    assert volumes.create(1)["volume_type"] == "usual"
    assert admin.delete(f"/types/{made['id']}").status == 400
    assert admin.delete(path).status == 204
    assert admin.get(path).status == 404
    assert volumes.create(1)["volume_type"] == "__DEFAULT__"


def test_a_type_s_extra_specs_choose_the_back_end(lab, settled):
    lab.start(enabled_backends=["fast", "slow"])
    admin, client = lab.client("admin"), lab.client()
    make(admin, name="on-slow", extra_specs={"volume_backend_name": "slow"})
    for _ in range(2):
        made = settled(client.create(1, volume_type="on-slow")["id"])
        assert made["os-vol-host-attr:host"] == "node@slow#slow"
    make(admin, name="nowhere", extra_specs={"volume_backend_name": "none"})
    settled(client.create(1, volume_type="nowhere")["id"], "error")
    assert "volume_backend_name must be none" in admin.get("/messages").body["messages"][0]["user_message"]


def test_extra_specs_of_a_type_in_use_stay(lab, volumes, settled):
    admin = lab.client("admin")
    kind = admin.post(
        "/types", {"volume_type": {"name": "used", "extra_specs": {"volume_backend_name": "fast"}}}
    )
    path = f"/types/{kind.body['volume_type']['id']}/extra_specs"
    assert admin.post(path, {"extra_specs": {}}).status == 400
    assert admin.post(path, {"extra_specs": {"a:b": "1"}}).status == 200
    settled(volumes.create(1, volume_type="used")["id"])
    for refused in (
        admin.post(path, {"extra_specs": {"a:b": "2"}}),
        admin.put(f"{path}/a:b", {"a:b": "2"}),
        admin.delete(f"{path}/a:b"),
    ):
        assert refused.status == 400 and "currently in use" in refused.words
