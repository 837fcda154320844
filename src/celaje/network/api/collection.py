"""List, show, create, update, delete of one kind of resource: what they all have in common.

Each resource's file derives from Collection and says what a row is, how it is shown, and what creating,
changing and deleting it means. Routes point at the handlers here.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from sqlalchemy import ColumnElement, Table, delete, select

from celaje.common import clock
from celaje.common.db import Transaction, fetch_all, fetch_one
from celaje.common.errors import NotFound
from celaje.common.wsgi import Request, Response
from celaje.network import quota
from celaje.network.api import query
from celaje.network.api.attributes import Body, Resource, items_of, read_create, read_update, sees_all
from celaje.network.db import tags
from celaje.network.errors import AllocationRace

Row = dict[str, Any]
View = dict[str, Any]

_ATTEMPTS = 10


class Collection:
    resource: ClassVar[Resource]
    table: ClassVar[Table]
    not_found: ClassVar[type[NotFound]]
    #: API name -> column, for filters and sorting.
    columns: ClassVar[dict[str, Any]]
    #: Filters that are no plain comparison: name -> function of the list of values.
    filters: ClassVar[dict[str, Callable[[list[str]], ColumnElement[bool]]]] = {}
    quota: ClassVar[str | None] = None
    default_sort: ClassVar[tuple[str, ...]] = ("id",)
    tagged: ClassVar[bool] = True

    # What a resource says.

    def visible(self, project_id: str | None) -> ColumnElement[bool]:
        """The rows that a project's members may know of."""
        return self.table.c.project_id == project_id

    def relations(self, tx: Transaction, rows: Sequence[Row]) -> dict[str, Any]:
        """What the view needs besides the rows: one query a relation."""
        return {}

    def view(self, row: Row, relations: dict[str, Any]) -> View:
        raise NotImplementedError

    def target(self, row: Row, relations: dict[str, Any], view: View) -> dict[str, Any]:
        """What policy rules read."""
        return view

    def create(self, request: Request, tx: Transaction, body: Body, rules: list[str]) -> Row:
        """Authorise, check, insert. Returns the row as it was written."""
        raise NotImplementedError

    def update(self, request: Request, tx: Transaction, row: Row, body: Body) -> None:
        raise NotImplementedError

    def delete(self, request: Request, tx: Transaction, row: Row) -> None:
        raise NotImplementedError

    # The handlers.

    def listing(self, request: Request) -> View:
        request.authorized = True  # row by row, below
        page = query.read_page(request, self.columns, self.default_sort)
        where = query.read_filters(request, self.columns, self.filters, tagged=self.tagged)
        if where is None:
            return {self.resource.collection: []}
        if self.tagged:
            where += tags.conditions(self.table.c.id, request.query_pairs)
        if not sees_all(request):
            where.append(self.visible(request.context.project_id))

        def read(tx: Transaction) -> tuple[list[Row], dict[str, Any]]:
            marker = self._marker(tx, page.marker)
            statement = query.page_of(
                select(self.table).where(*where), self.columns, page, self.table.c.id, marker
            )
            rows = fetch_all(tx, statement)
            if page.backwards:
                rows.reverse()
            return rows, self._relations(tx, rows)

        rows, relations = request.service.database.read(read)
        asker = Asker(request, self.resource)
        shown = [self._shown(asker, row, relations) for row in rows]
        items = [item for item in shown if item is not None]
        wanted = request.query_all("fields")
        if wanted:
            items = [query.chosen(item, wanted) for item in items]
        answer: View = {self.resource.collection: items}
        links = query.links(request, page, [row["id"] for row in rows])
        if links:
            answer[f"{self.resource.collection}_links"] = links
        return answer

    def _marker(self, tx: Transaction, marker: str | None) -> Row | None:
        if marker is None:
            return None
        row = fetch_one(tx, select(self.table).where(self.table.c.id == marker))
        if row is None:
            raise query.BadMarker(marker=marker[:64])
        return query.marker_values(row, self.columns)

    def show(self, request: Request, resource_id: str) -> View:
        def read(tx: Transaction) -> tuple[Row, dict[str, Any]]:
            row = self.find(request, tx, resource_id)
            return row, self._relations(tx, [row])

        row, relations = request.service.database.read(read)
        request.authorized = True
        shown = self._shown(Asker(request, self.resource), row, relations)
        if shown is None:
            raise self.not_found(id=resource_id)
        return {self.resource.name: query.chosen(shown, request.query_all("fields"))}

    def post(self, request: Request) -> View:
        items, bulk = items_of(request, self.resource)
        read = [read_create(request, self.resource, item) for item in items]

        def unit(tx: Transaction) -> tuple[list[Row], dict[str, Any]]:
            rows = []
            for body, rules in read:
                row = self.create(request, tx, dict(body), rules)
                rows.append(row)
            return rows, self._relations(tx, rows)

        rows, relations = retrying(request.service, unit)
        request.authorized = True
        asker = Asker(request, self.resource)
        shown = [asker.hide(self.view_of(row, relations), row, relations, self) for row in rows]
        return {self.resource.collection: shown} if bulk else {self.resource.name: shown[0]}

    def put(self, request: Request, resource_id: str) -> View:
        body, rules = read_update(request, self.resource)

        def unit(tx: Transaction) -> tuple[Row, dict[str, Any]]:
            row = self.find(request, tx, resource_id)
            self.authorize(request, tx, row, f"update_{self.resource.name}", rules)
            self.update(request, tx, row, dict(body))
            after = fetch_one(tx, select(self.table).where(self.table.c.id == row["id"]))
            assert after is not None
            return after, self._relations(tx, [after])

        row, relations = retrying(request.service, unit)
        asker = Asker(request, self.resource)
        return {self.resource.name: asker.hide(self.view_of(row, relations), row, relations, self)}

    def remove(self, request: Request, resource_id: str) -> Response:
        def unit(tx: Transaction) -> None:
            row = self.find(request, tx, resource_id)
            self.authorize(request, tx, row, f"delete_{self.resource.name}")
            self.delete(request, tx, row)
            tags.forget(tx, row["id"])

        retrying(request.service, unit)
        return Response(status=204)

    # What the handlers and the resources share.

    def find(self, request: Request, tx: Transaction, resource_id: str) -> Row:
        """The row, if the caller may know of it. Raises the resource's NotFound."""
        statement = select(self.table).where(self.table.c.id == resource_id)
        if not sees_all(request):
            statement = statement.where(self.visible(request.context.project_id))
        row = fetch_one(tx, statement)
        if row is None:
            raise self.not_found(id=resource_id[:64])
        return row

    def authorize(
        self, request: Request, tx: Transaction, row: Row, rule: str, further: Iterable[str] = ()
    ) -> None:
        """Check rules against a row that is there. A caller who may not even see it is told 404."""
        relations = self._relations(tx, [row])
        target = self.target(row, relations, self.view_of(row, relations))
        if not request.allows(f"get_{self.resource.name}", target):
            request.authorized = True
            raise self.not_found(id=row["id"])
        for name in (rule, *further):
            request.authorize(target, rule=name)

    def check_quota(self, request: Request, tx: Transaction, project_id: str) -> None:
        if self.quota:
            quota.check(tx, request.service.conf, self.quota, project_id)

    def delete_row(self, tx: Transaction, row: Row) -> None:
        tx.execute(delete(self.table).where(self.table.c.id == row["id"]))

    def save(self, tx: Transaction, row: Row, values: dict[str, Any]) -> None:
        """Write changed columns, and the new revision."""
        columns = {**values, "revision_number": row["revision_number"] + 1, "updated_at": clock.now()}
        tx.execute(self.table.update().where(self.table.c.id == row["id"]).values(**columns))

    def _relations(self, tx: Transaction, rows: Sequence[Row]) -> dict[str, Any]:
        relations = self.relations(tx, rows)
        if self.tagged:
            relations["tags"] = tags.of(tx, [row["id"] for row in rows])
        return relations

    def view_of(self, row: Row, relations: dict[str, Any]) -> View:
        """The view with what every resource has."""
        shown = self.view(row, relations)
        shown["description"] = row["description"]
        shown["project_id"] = shown["tenant_id"] = row["project_id"]
        shown["revision_number"] = row["revision_number"]
        shown["created_at"] = clock.iso(row["created_at"], zulu=True)
        shown["updated_at"] = clock.iso(row["updated_at"], zulu=True)
        if self.tagged:
            shown["tags"] = relations["tags"].get(row["id"], [])
        return shown

    def _shown(self, asker: "Asker", row: Row, relations: dict[str, Any]) -> View | None:
        view = self.view_of(row, relations)
        target = self.target(row, relations, view)
        if not asker.may_see(target):
            return None
        return asker.hide(view, row, relations, self)


class Asker:
    """What one request's caller may see; decisions on hidden attributes are kept by owner, so a list asks
    once for each project."""

    def __init__(self, request: Request, resource: Resource):
        self._request = request
        self._rule = f"get_{resource.name}"
        self._hidden = resource.hidden
        self._known: dict[Any, list[str]] = {}

    def may_see(self, target: dict[str, Any]) -> bool:
        return self._request.allows(self._rule, target)

    def hide(self, view: View, row: Row, relations: dict[str, Any], collection: Collection) -> View:
        if not self._hidden:
            return view
        target = collection.target(row, relations, view)
        key = (target.get("project_id"), target.get("network:project_id"))
        if key not in self._known:
            self._known[key] = [
                name for name in self._hidden if not self._request.allows(f"{self._rule}:{name}", target)
            ]
        for name in self._known[key]:
            view.pop(name, None)
        return view


def retrying(service: Any, unit: Callable[[Transaction], Any]) -> Any:
    """Run the unit; when a concurrent one took what it had chosen, run it again to choose anew."""
    for attempt in range(_ATTEMPTS):
        try:
            return service.database.write(unit)
        except AllocationRace:
            if attempt + 1 == _ATTEMPTS:
                raise
    raise AssertionError("unreachable")
