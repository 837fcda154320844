"""The rules of delegation: what a trust may hand on, and what a delegated token may not do.

Called by the trusts' handlers and by logins with a trust.
"""

import datetime
from typing import Any

from celaje.common.db import Transaction
from celaje.common.tokens import Token
from celaje.identity.db import effective, logins, trusts
from celaje.identity.errors import ForbiddenAction, Invalid, ProjectNotFound, RoleNotFound
from celaje.identity.inference import Inference

Row = dict[str, Any]

# Methods that show the user in person. Whatever else there is stands for less than its user.
PRIMARY = frozenset(("external", "password", "token", "totp", "mapped", "saml2", "openid"))


def is_delegated(token: Token) -> bool:
    shown = {method for method in token.methods if method != token.protocol_id}
    return not token.methods or not PRIMARY.issuperset(shown)


def refuse_delegated(token: Token, what: str) -> None:
    """Raises ForbiddenAction: a part of somebody's rights must not be a way to more of them."""
    if is_delegated(token):
        raise ForbiddenAction(action=f"Delegated tokens cannot {what}.")


def refuse_near_credentials(token: Token) -> None:
    """A secret outlives the delegation by which it was read or made."""
    if token.trust_id or is_delegated(token):
        raise ForbiddenAction(action="Delegated tokens cannot access credentials directly")


def refuse_near_application_credentials(token: Token) -> None:
    """Made with a trust or an access token, one would outlive it. Who holds an application credential is
    bound by its own word for that (`unrestricted`)."""
    if "application_credential" not in token.methods and (token.trust_id or is_delegated(token)):
        raise ForbiddenAction("Cannot manage application credentials with a token issued via delegation.")


def trustor_roles(tx: Transaction, trust: Row, inference: Inference) -> set[str]:
    """Ids of the roles, with the implied ones, that the first trustor of the chain has on the project."""
    if not trust["project_id"]:
        return set()
    origin = trusts.pedigree(tx, trust)[-1]
    project = logins.project(tx, trust["project_id"])
    if project is None:
        raise ProjectNotFound(id=trust["project_id"])
    return inference.closure(effective.roles_on_project(tx, origin["trustor_user_id"], project))


def check_roles(trust: Row, held: set[str]) -> None:
    for role_id in trust["roles"]:
        if role_id not in held:
            raise RoleNotFound(id=role_id)


def prepare(trust: Row, *, redelegatable: bool, deepest: int) -> None:
    """Set the depth of a new trust; None stays where the source or the limit decides."""
    count = trust["redelegation_count"]
    if not redelegatable or count == 0:
        trust["redelegation_count"] = 0
        return
    if count is not None and count > deepest:
        raise ForbiddenAction(f"Requested redelegation depth of {count} is greater than allowed {deepest}")
    if trust["remaining_uses"] is not None:
        raise Invalid("remaining_uses must not be set if redelegation is allowed")


def redelegate(tx: Transaction, trust: Row, source: Row, deepest: int) -> None:
    """Make `trust` one that is made from `source`."""
    trust["redelegated_trust_id"] = source["id"]
    left = source["redelegation_count"] - 1
    if trust["redelegation_count"] not in (None, 0, left):
        raise ForbiddenAction(
            'Modifying "redelegation_count" upon redelegation is forbidden. '
            "Omitting this parameter is advised."
        )
    if trust["redelegation_count"] is None:
        trust["redelegation_count"] = left
    for above in trusts.pedigree(tx, source):
        check_link(above, trust, deepest)


def check_link(above: Row, trust: Row, deepest: int) -> None:
    """Raises ForbiddenAction where `trust` would hand on more than `above` does; takes over its expiry."""
    depth = above["redelegation_count"]
    if not 0 < depth <= deepest:
        raise ForbiddenAction(
            f"Remaining redelegation depth of {depth} out of allowed range of [0..{deepest}]"
        )
    if trust["remaining_uses"] is not None:
        raise ForbiddenAction(
            f'Field "remaining_uses" is set to {trust["remaining_uses"]} while it must not be set in order '
            "to redelegate a trust"
        )
    expires: datetime.datetime | None = above["expires_at"]
    if trust["expires_at"] is None:
        trust["expires_at"] = expires
    elif expires is not None and expires < trust["expires_at"]:
        raise ForbiddenAction("Requested expiration time is more than redelegated trust can provide")
    if not set(trust["roles"]) <= set(above["roles"]):
        raise ForbiddenAction("Some of requested roles are not in redelegated trust")
    if trust["impersonation"] and not above["impersonation"]:
        raise ForbiddenAction(
            "Impersonation is not allowed because redelegated trust does not specify impersonation. "
            f"Redelegated trust id: {above['id']}"
        )


def check_chain(tx: Transaction, trust: Row) -> None:
    """Raises ForbiddenAction for a chain of which somebody in between is gone or disabled."""
    for above in trusts.pedigree(tx, trust)[1:]:
        person = logins.user(tx, above["trustee_user_id"])
        if person is None or not person["enabled"] or not person["domain_enabled"]:
            raise ForbiddenAction("One of the trust agents is disabled or deleted")
