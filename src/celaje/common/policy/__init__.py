"""Who may do what: the oslo.policy language, compiled at load into closures.

Services declare their `Rule`s beside their routes and make one `Policy`; the WSGI pipeline and handlers
ask it. Text goes through `parser` (to a tree) and `checks` (to closures); `overrides` reads the file.
"""

from celaje.common.policy.checks import Check, compile_check
from celaje.common.policy.enforcer import Policy
from celaje.common.policy.overrides import PolicyError
from celaje.common.policy.rules import Rule

__all__ = ["Check", "Policy", "PolicyError", "Rule", "compile_check"]
