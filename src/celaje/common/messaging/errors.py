"""What can go wrong between a caller and a callee, apart from the work itself.

Raised by clients, servers and drivers of the message layer; the flow engine decides by them what to retry.
"""

from celaje.common.errors import Unavailable


class MessagingError(Unavailable):
    """Base of what the bus, not the work, did to a call.

    `remote` is true when the callee met it in a call of its own, so that a caller does not take
    somebody else's lost worker for the one that it asked.
    """

    text = "The message could not be delivered."
    remote: bool = False


class MessagingTimeout(MessagingError):
    """No answer within the timeout (`rpc_response_timeout` unless the message names another option)."""

    text = "{target} did not answer {method} within {seconds:g} s. {begun}"


class NotTakenUp(MessagingTimeout):
    """The timeout is over and nobody was heard to be at work, though whoever takes a call says so: a broker
    that was away, a worker that hangs, or one with more before it. No answer, so a flow asks again."""


class WorkerLost(MessagingError):
    """The callee began the call and then vanished; whether the work was done is unknown."""

    text = "{target} was lost while it worked on {method}: {cause}."


class NoSuchServer(MessagingError):
    """Nobody listens there: the call was not begun by anybody, so it is safe to send it elsewhere."""

    text = "Nobody listens on {target}; {method} was not begun."


class NotUnderstoodYet(NoSuchServer):
    """In a rolling upgrade: not every receiver speaks the version that the message needs, so it was not sent.
    The same for whoever sends it again later, or does without."""

    text = "{target} speaks version {spoken} so far, and {method} needs {needed}; it was not sent."


class UnsupportedVersion(MessagingError):
    """The receiver speaks another major version, or an older minor one than the message needs. It may be
    replaced soon, as one that is down: flows wait for it."""

    text = "{target} speaks version {spoken}, and {method} needs {needed}."


class NoSuchMethod(MessagingError):
    """The receiver's table has no such message."""

    text = "{target} has no message {method}."


class Killed(BaseException):
    """Ends the thread of a server that `kill` declared dead when it tries to send: the dead send nothing.

    No `Exception`, so that the work's own error handling does not catch it.
    """
