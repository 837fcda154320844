"""Objects, properties and tags of a namespace: the same operations, shown a little differently."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from celaje.common.db import Transaction
from celaje.common.errors import Invalid, NotFound
from celaje.common.wsgi import Request, Response
from celaje.common.wsgi.paging import read_limit
from celaje.image.api import access
from celaje.image.api.metadefs.namespaces import content, link, load, moments, object_view
from celaje.image.db import metadefs

Row = dict[str, Any]


class DefinitionNotFound(NotFound):
    text = "Metadata definition {kind} {name} was not found in namespace={namespace}."


def _property(row: Row) -> Row:
    return {"name": row["name"], **row["body"]}


def _tag(row: Row) -> Row:
    return {"name": row["name"], **moments(row)}


@dataclass(frozen=True)
class Kind:
    """`name` in the rules and the database, `plural` in paths and bodies. Handlers are its methods."""

    name: str
    plural: str
    view: Callable[[Row], Row]
    remove_rule: str

    def index(self, request: Request, namespace: str) -> Row:
        def run(tx: Transaction) -> list[Row]:
            load(tx, request, namespace, f"get_metadef_{self.plural}")
            return metadefs.definitions(tx, namespace, self.name)

        found = request.service.database.read(run)
        return self._page(request, namespace, found)

    def _page(self, request: Request, namespace: str, found: list[Row]) -> Row:
        conf, query = request.service.conf, request.query
        limit, asked = read_limit(request, conf.api_limit_max)
        names = [row["name"] for row in found]
        if query.get("sort_dir", "asc") not in ("asc", "desc"):
            raise Invalid("The sort direction is asc or desc.")
        if query.get("sort_dir") == "desc":
            found.reverse()
            names.reverse()
        start = 0
        if query.get("marker"):
            if query["marker"] not in names:
                raise DefinitionNotFound(kind=self.name, name=query["marker"][:80], namespace=namespace)
            start = names.index(query["marker"]) + 1
        shown = found[start : start + (conf.limit_param_default if asked is None else limit)]
        pairs = [(name, value) for name, value in request.query_pairs if name != "marker"]
        base = link(namespace, self.plural)
        body: Row = {
            self.plural: [self.view(row) for row in shown],
            "schema": f"/v2/schemas/metadefs/{self.plural}",
            "first": f"{base}?{urlencode(pairs)}" if pairs else base,
        }
        if shown and shown[-1] is not found[-1]:
            body["next"] = f"{base}?{urlencode([*pairs, ('marker', shown[-1]['name'])])}"
        return body

    def show(self, request: Request, namespace: str, name: str) -> Row:
        def run(tx: Transaction) -> Row:
            load(tx, request, namespace, f"get_metadef_{self.name}")
            return self._found(tx, namespace, name)

        return self.view(request.service.database.read(run))

    def create(self, request: Request, namespace: str) -> Response:
        return self._create(request, namespace, request.body)

    def _create(self, request: Request, namespace: str, body: Row) -> Response:
        name = access.refuse_nul(body["name"], "A name")

        def unit(tx: Transaction) -> Row:
            load(tx, request, namespace, f"add_metadef_{self.name}", lock=True)
            metadefs.add_definition(tx, namespace, self.name, name, content(body))
            return self._found(tx, namespace, name)

        shown = self.view(request.service.database.write(unit))
        href = f"{request.base_url}{link(namespace, self.plural, name)}"
        return Response(shown, headers={"Location": href})

    def update(self, request: Request, namespace: str, name: str) -> Row:
        body = request.body
        new = access.refuse_nul(body["name"], "A name")

        def unit(tx: Transaction) -> Row:
            load(tx, request, namespace, f"modify_metadef_{self.name}", lock=True)
            self._found(tx, namespace, name)
            metadefs.update_definition(tx, namespace, self.name, name, new, content(body))
            return self._found(tx, namespace, new)

        return self.view(request.service.database.write(unit))

    def delete(self, request: Request, namespace: str, name: str) -> None:
        def unit(tx: Transaction) -> None:
            load(tx, request, namespace, self.remove_rule, lock=True)
            if not metadefs.delete_definitions(tx, namespace, self.name, name):
                raise DefinitionNotFound(kind=self.name, name=name[:80], namespace=namespace)

        request.service.database.write(unit)

    def clear(self, request: Request, namespace: str) -> None:
        def unit(tx: Transaction) -> None:
            load(tx, request, namespace, "delete_metadef_namespace", lock=True)
            metadefs.delete_definitions(tx, namespace, self.name)

        request.service.database.write(unit)

    def _found(self, tx: Transaction, namespace: str, name: str) -> Row:
        row = metadefs.definition(tx, namespace, self.name, name)
        if row is None:
            raise DefinitionNotFound(kind=self.name, name=name[:80], namespace=namespace)
        return row


class Properties(Kind):
    def index(self, request: Request, namespace: str) -> Row:
        """All of them, by name; with ?resource_type= as that type's prefix has them."""

        def run(tx: Transaction) -> tuple[list[Row], list[Row]]:
            load(tx, request, namespace, "get_metadef_properties")
            found = metadefs.definitions(tx, namespace, self.name)
            return found, metadefs.associations(tx, [namespace])[namespace]

        found, associations = request.service.database.read(run)
        asked = request.query.get("resource_type")
        prefix = next((one["prefix"] for one in associations if one["name"] == asked), None) or ""
        return {"properties": {prefix + row["name"]: _property(row) for row in found}}


class Tags(Kind):
    def create_one(self, request: Request, namespace: str, name: str) -> Response:
        if not 0 < len(name) <= 80:
            raise Invalid("A tag has at most 80 characters.")
        return self._create(request, namespace, {"name": name})

    def create_all(self, request: Request, namespace: str) -> Row:
        """In the place of those that are there, or with X-Openstack-Append beside them."""
        names = [access.refuse_nul(tag["name"], "A name") for tag in request.body["tags"]]
        append = (request.header("X-Openstack-Append") or "").lower() in ("true", "1", "yes")

        def unit(tx: Transaction) -> None:
            load(tx, request, namespace, "add_metadef_tags", lock=True)
            if not append:
                metadefs.delete_definitions(tx, namespace, self.name)
            for name in names:
                metadefs.add_definition(tx, namespace, self.name, name, {})

        request.service.database.write(unit)
        return {"tags": [{"name": name} for name in names]}


OBJECTS = Kind("object", "objects", object_view, "delete_metadef_object")
PROPERTIES = Properties("property", "properties", _property, "remove_metadef_property")
TAGS = Tags("tag", "tags", _tag, "delete_metadef_tag")
