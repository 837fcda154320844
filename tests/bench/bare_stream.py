"""The limit of an upload and a download: granian, a file, and nothing in between.

Run by granian in a process of its own; CELAJE_BENCH_FILE is what is written by PUT and read by GET.
"""

import os

_PATH = os.environ["CELAJE_BENCH_FILE"]
_CHUNK = 256 * 1024


def app(environ, start_response):
    if environ["REQUEST_METHOD"] == "PUT":
        with open(_PATH, "wb", buffering=0) as file:
            while chunk := environ["wsgi.input"].read(_CHUNK):
                file.write(chunk)
            os.fsync(file.fileno())
        start_response("204 No Content", [("Content-Length", "0")])
        return []
    start_response("200 OK", [("Content-Length", str(os.path.getsize(_PATH)))])
    return _chunks()


def _chunks():
    with open(_PATH, "rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            yield chunk
