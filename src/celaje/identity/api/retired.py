"""What Keystone has retired and still answers: PKI tokens' certificates and list of revocations."""

from celaje.common.wsgi import Request, Response


def gone(_: Request) -> Response:
    message = "This API is no longer available due to the removal of support for PKI tokens."
    return Response({"error": {"code": 410, "message": message, "title": "Gone"}}, status=410)
