"""The compute service's own errors, in Nova's words."""

from celaje.common import errors


class ServerNotFound(errors.NotFound):
    text = "Instance {server} could not be found."


class ServerBusy(errors.Conflict):
    """The server's state does not allow the action (409)."""

    text = "Cannot '{action}' instance {server} while it is in {attribute} {state}"


class ServerLocked(errors.Conflict):
    text = "Instance {server} is locked"


class OverServerQuota(errors.OverQuota):
    text = "Quota exceeded for {overs}: Requested {requested}, but already used {used} of {allowed} {overs}"


class ClaimRefused(errors.Conflict):
    """Placement refused the claim at every candidate."""

    text = "No candidate could take instance {server}: {refusals}"


class ServerTaken(errors.Conflict):
    """A deletion (or another flow) took the server over while this flow worked on it."""

    text = "Instance {server} was taken over by another operation."


class GroupPolicyViolated(errors.Conflict):
    """A host became unfit for the server's group while the server was on its way there."""

    text = "Server group {group}: host {host} no longer satisfies its policy {policy}."


class DeviceBusy(errors.Invalid):
    """Nova's 400: the server has the volume, or is getting it."""

    text = "Invalid volume: volume {volume} already attached"
