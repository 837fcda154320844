"""Discovery: which versions of the Image API there are. They have no microversion header; each number names
what was added to v2."""

from typing import Any

from celaje.common.wsgi import Request, Response

#: What each version brought. 2.14 and 2.16 are shown where there is an image cache.
HISTORY = {
    "2.17": "locations of an image, for services",
    "2.16": "the cache shows and clears what waits",
    "2.15": "the stores in detail",
    "2.14": "the image cache",
    "2.13": "a store per upload, import to several stores",
    "2.12": "hidden images can be asked for together with others",
    "2.11": "import into all stores",
    "2.10": "an image's stores, deletion from one of them",
    "2.9": "images can be hidden; multihash",
    "2.8": "stores can be listed and chosen",
    "2.7": "community images, os_hidden",
    "2.6": "import",
    "2.5": "visibility shared and community",
    "2.4": "metadata definition tags",
    "2.3": "deactivate, reactivate; sort",
    "2.2": "metadata definitions",
    "2.1": "patch by JSON patch draft 10",
    "2.0": "the first of v2",
}


_OF_THE_CACHE = ("2.14", "2.16")


def _document(request: Request) -> dict[str, Any]:
    href = f"{request.base_url}/v2/"
    newest = next(iter(HISTORY))
    return {
        "versions": [
            {
                "id": f"v{number}",
                "status": "CURRENT" if number == newest else "SUPPORTED",
                "links": [{"rel": "self", "href": href}],
            }
            for number in HISTORY
            if number not in _OF_THE_CACHE or request.service.cache is not None
        ]
    }


def choices(request: Request) -> Response:
    return Response(_document(request), status=300)


def versions(request: Request) -> dict[str, Any]:
    return _document(request)
