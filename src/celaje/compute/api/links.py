"""Links as the compute API gives them. Used by every resource's view."""

from celaje.common.wsgi import Request


def links(request: Request, collection: str, resource_id: str) -> list[dict[str, str]]:
    """The versioned link of a resource and its permanent one."""
    base = request.base_url
    return [
        {"rel": "self", "href": f"{base}/v2.1/{collection}/{resource_id}"},
        {"rel": "bookmark", "href": f"{base}/{collection}/{resource_id}"},
    ]


def next_page(request: Request, name: str, link: str | None) -> dict[str, list[dict[str, str]]]:
    """What a list's body carries besides its items when there is another page."""
    return {name: [{"rel": "next", "href": link}]} if link else {}
