"""Domain errors, without HTTP in them.

Services raise them anywhere: handlers, flows, workers, drivers. The messaging layer carries them by
class name (only classes that are registered here by being defined travel), and the service's dialect
turns them into a response once, at the edge (`common/wsgi/dialects.py`).
"""

from typing import Any, ClassVar


class CelajeError(Exception):
    """Base of all domain errors. Subclasses set `kind` through one of the families below and `text`,
    a format string over the keyword details."""

    kind: ClassVar[str] = "internal"
    text: ClassVar[str] = "Unexpected error."
    registry: ClassVar[dict[str, type["CelajeError"]]] = {}

    def __init__(self, message: str | None = None, **details: Any):
        self.details = details
        self.message = message if message is not None else self.text.format(**details)
        super().__init__(self.message)

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        CelajeError.registry[cls.qualified_name()] = cls

    @classmethod
    def qualified_name(cls) -> str:
        return f"{cls.__module__}.{cls.__qualname__}"

    def to_dict(self) -> dict[str, Any]:
        """What travels in a message or is kept in a flow's row: class, words, details."""
        return {"class": self.qualified_name(), "message": self.message, "details": self.details}

    @staticmethod
    def from_dict(data: dict[str, Any]) -> "CelajeError":
        """The error that `to_dict` described; an unknown class becomes a RemoteError with its words."""
        cls = CelajeError.registry.get(data.get("class", ""))
        if cls is None:
            return RemoteError(data.get("message"), error_class=data.get("class"))
        error = cls.__new__(cls)
        Exception.__init__(error, data.get("message"))
        error.message = data.get("message") or cls.text
        error.details = data.get("details") or {}
        return error


class Invalid(CelajeError):
    """The request makes no sense as it stands: 400 in every dialect."""

    kind = "invalid"
    text = "The request is invalid."


class Unauthorized(CelajeError):
    """No token, or one that does not hold."""

    kind = "unauthorized"
    text = "The request you have made requires authentication."


class Forbidden(CelajeError):
    """A valid token whose roles or scope the policy rule does not accept."""

    kind = "forbidden"
    text = "Policy doesn't allow {action} to be performed."


class NotFound(CelajeError):
    kind = "not_found"
    text = "The resource could not be found."


class MethodNotAllowed(CelajeError):
    kind = "method_not_allowed"
    text = "The method is not allowed for this resource."


class NotAcceptable(CelajeError):
    """A microversion out of range, or an answer form that the service does not speak."""

    kind = "not_acceptable"
    text = "Version {version} is not supported by the API. Minimum is {minimum} and maximum is {maximum}."


class Conflict(CelajeError):
    """The state of the resource, or somebody else's concurrent change, does not allow it."""

    kind = "conflict"
    text = "The resource is in a state that does not allow this."


class PreconditionFailed(CelajeError):
    kind = "precondition_failed"
    text = "A condition of the request does not hold."


class OverQuota(CelajeError):
    kind = "over_quota"
    text = "Quota exceeded for resources: {overs}"


class TooLarge(CelajeError):
    """Body, URL or header over the service's limit."""

    kind = "too_large"
    text = "Request is too large."


class UnsupportedMediaType(CelajeError):
    kind = "unsupported_media_type"
    text = "Content type {content_type} is not supported here."


class NotImplementedHere(CelajeError):
    """The driver or back end cannot do it: 501."""

    kind = "not_implemented"
    text = "This is not implemented by the driver in use."


class Unavailable(CelajeError):
    """A pool is full or another service does not answer: 503 with Retry-After."""

    kind = "unavailable"
    text = "The service is currently unable to handle the request. Try again in a moment."


class RemoteError(CelajeError):
    """The other side of a message failed with an error that may not travel."""

    text = "The remote side failed."


class DriverError(CelajeError):
    """A driver could not do its work; the message says what it tried."""

    text = "The driver failed."


class ConfigurationError(CelajeError):
    """A value in the configuration cannot be used; told at start, with what to do about it."""

    kind = "configuration"
    text = "The configuration cannot be used."


class NoValidHost(CelajeError):
    """No host or back end passed the scheduler's filters; `details['filters']` tells which removed what."""

    text = "No valid host was found."
