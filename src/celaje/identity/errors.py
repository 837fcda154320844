"""Identity's domain errors, in Keystone's words."""

from celaje.common import errors


class UserNotFound(errors.NotFound):
    text = "Could not find user: {id}."


class ProjectNotFound(errors.NotFound):
    text = "Could not find project: {id}."


class DomainNotFound(errors.NotFound):
    text = "Could not find domain: {id}."


class GroupNotFound(errors.NotFound):
    text = "Could not find group: {id}."


class RoleNotFound(errors.NotFound):
    text = "Could not find role: {id}."


class ServiceNotFound(errors.NotFound):
    text = "Could not find service: {id}."


class EndpointNotFound(errors.NotFound):
    text = "Could not find endpoint: {id}."


class RegionNotFound(errors.NotFound):
    text = "Could not find region: {id}."


class CredentialNotFound(errors.NotFound):
    text = "Could not find credential: {id}."


class ApplicationCredentialNotFound(errors.NotFound):
    text = "Could not find Application Credential: {id}."


class AccessRuleNotFound(errors.NotFound):
    text = "Could not find Access Rule: {id}."


class TokenNotFound(errors.NotFound):
    text = "Could not find token: {id}."


class AssignmentNotFound(errors.NotFound):
    text = (
        "Could not find role assignment with role: {role_id}, user or group: {actor_id}, "
        "project, domain, or system: {target_id}."
    )


class ImpliedRoleNotFound(errors.NotFound):
    text = "{prior_role_id} does not imply {implied_role_id}."


class NotInGroup(errors.NotFound):
    text = "User '{user_id}' not found in group '{group_id}'."


class TagNotFound(errors.NotFound):
    text = "Could not find project tag: {id}."


class TrustNotFound(errors.NotFound):
    text = "Could not find trust: {id}."


class TrustUseLimitReached(errors.Forbidden):
    text = "No remaining uses for trust {id}."


class PolicyNotFound(errors.NotFound):
    text = "Could not find policy: {id}."


class PolicyAssociationNotFound(errors.NotFound):
    text = "Could not find policy association."


class EndpointGroupNotFound(errors.NotFound):
    text = "Could not find Endpoint Group: {id}."


class EndpointFilterNotFound(errors.NotFound):
    text = "Endpoint {endpoint_id} not found in project {project_id}."


class RegisteredLimitNotFound(errors.NotFound):
    text = "Could not find registered limit for {id}."


class LimitNotFound(errors.NotFound):
    text = "Could not find limit for {id}."


class ConsumerNotFound(errors.NotFound):
    text = "Could not find consumer: {id}."


class RequestTokenNotFound(errors.NotFound):
    text = "Could not find request token: {id}."


class AccessTokenNotFound(errors.NotFound):
    text = "Could not find access token: {id}."


class DomainConfigNotFound(errors.NotFound):
    text = "Could not find {what}."


class IdentityProviderNotFound(errors.NotFound):
    text = "Could not find Identity Provider: {id}."


class ServiceProviderNotFound(errors.NotFound):
    text = "Could not find Service Provider: {id}."


class ProtocolNotFound(errors.NotFound):
    text = "Could not find federated protocol {id} for Identity Provider: {identity_provider_id}."


class MappingNotFound(errors.NotFound):
    text = "Could not find mapping: {id}."


class Gone(errors.CelajeError):
    """What the API had once and answers 410 for now."""

    kind = "gone"
    text = "This resource is no longer available. No forwarding address is known."


class MarkerNotFound(errors.NotFound):
    text = "Marker {marker} could not be found."


class Taken(errors.Conflict):
    """A name or an id that must be unique exists already."""

    text = "Conflict occurred attempting to store {kind} - {what}."


class Invalid(errors.Invalid):
    """A request that the schema lets through and that makes no sense all the same."""


class ForbiddenAction(errors.Forbidden):
    """Refused by a rule of the data, whatever the caller's roles."""

    text = "You are not authorized to perform the requested action: {action}."


class LoginFailed(errors.Unauthorized):
    """One wording for all causes: the answer must not tell which part was wrong. `details['cause']` is
    for the log."""

    text = "The request you have made requires authentication."


class AccountLocked(errors.Unauthorized):
    text = "The account is locked for user: {user_id}."


class PasswordExpired(errors.Unauthorized):
    text = "The password is expired and needs to be changed for user: {user_id}."


class MethodNotSupported(errors.Unauthorized):
    text = "Attempted to authenticate with an unsupported method."


class Immutable(errors.Forbidden):
    """The resource's own option protects it, even from an admin."""

    text = (
        "Unable to change or delete immutable {kind} {id}. "
        "Set the resource option 'immutable' to false first."
    )


def name_taken(kind: str, name: str | None) -> Taken:
    return Taken(kind=kind, what=f"Duplicate entry found with name {name}")
