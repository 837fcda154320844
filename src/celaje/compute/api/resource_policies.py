"""Policy rules of the routes in `resource_routes.py`. A part of `policies.py`, which declares the named
expressions (context_is_admin, admin_api, project_member_or_admin, project_reader_or_admin ...)."""

from celaje.common.policy import Rule

RULES: list[Rule] = []
