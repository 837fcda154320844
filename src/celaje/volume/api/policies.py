"""The policy rules of the volume API, with Cinder's names and its Secure RBAC defaults.

Personas: project reader, member and admin. Cinder has no manager persona: who has manager has member too.
"""

from celaje.common.policy import Rule

_SCOPES = ("system", "project")
ADMIN = "rule:admin_api"
MEMBER = "rule:xena_system_admin_or_project_member"
READER = "rule:xena_system_admin_or_project_reader"


def _all(check: str, names: dict[str, str]) -> list[Rule]:
    return [Rule(name, check, description, _SCOPES) for name, description in names.items()]


RULES = [
    Rule("context_is_admin", "role:admin", "Who counts as administrator.", ()),
    Rule("admin_api", "is_admin:True or (role:admin and is_admin_project:True)", "Administration.", ()),
    Rule(
        "xena_system_admin_or_project_reader",
        "(role:admin) or (role:reader and project_id:%(project_id)s)",
        "Readers of the project, and administrators.",
        (),
    ),
    Rule(
        "xena_system_admin_or_project_member",
        "(role:admin) or (role:member and project_id:%(project_id)s)",
        "Members of the project, and administrators.",
        (),
    ),
    *_all(
        READER,
        {
            "volume:get": "Show a volume.",
            "volume:get_all": "List volumes, and their summary.",
            "volume:get_volume_metadata": "Show a volume's metadata.",
            "volume:get_all_snapshots": "List snapshots.",
            "volume:get_snapshot": "Show a snapshot.",
            "volume:get_snapshot_metadata": "Show a snapshot's metadata.",
            "volume_extension:extended_snapshot_attributes": "See project and progress of a snapshot.",
            "volume_extension:volume_tenant_attribute": "See the project of a volume.",
            "volume_extension:volume_image_metadata:show": "See the metadata of a volume's image.",
            "volume_extension:volume_encryption_metadata": "See how a volume is encrypted.",
            "volume_extension:type_get": "Show a volume type.",
            "volume_extension:type_get_all": "List volume types.",
            "volume_extension:access_types_extra_specs": "See a type's extra specs.",
            "volume_extension:types_extra_specs:index": "List a type's extra specs.",
            "volume_extension:types_extra_specs:show": "Show one of a type's extra specs.",
            "volume_extension:quotas:show": "Show quotas.",
            "limits_extension:used_limits": "See usage with the limits.",
            "message:get_all": "List user messages.",
            "message:get": "Show a user message.",
        },
    ),
    *_all(
        MEMBER,
        {
            "volume:create": "Create a volume.",
            "volume:create_from_image": "Create a volume from an image.",
            "volume:update": "Update a volume, set what it boots.",
            "volume:delete": "Delete a volume.",
            "volume:multiattach": "Create a volume of a multiattach type.",
            "volume:extend": "Extend a volume.",
            "volume:extend_attached_volume": "Extend a volume in use.",
            "volume:update_readonly_flag": "Make a volume read-only.",
            "volume:create_volume_metadata": "Add to a volume's metadata.",
            "volume:update_volume_metadata": "Change a volume's metadata.",
            "volume:delete_volume_metadata": "Delete from a volume's metadata.",
            "volume_extension:volume_image_metadata:set": "Set metadata of a volume's image.",
            "volume_extension:volume_image_metadata:remove": "Remove metadata of a volume's image.",
            "volume_extension:volume_actions:reserve": "Reserve a volume.",
            "volume_extension:volume_actions:unreserve": "Give a reservation back.",
            "volume_extension:volume_actions:begin_detaching": "Say that a volume is being detached.",
            "volume_extension:volume_actions:roll_detaching": "Say that it is not, after all.",
            "volume_extension:volume_actions:attach": "Note an attachment.",
            "volume_extension:volume_actions:detach": "Note that there is none any more.",
            "volume_extension:volume_actions:initialize_connection": "Open a volume to a host.",
            "volume_extension:volume_actions:terminate_connection": "Close a volume to a host.",
            "volume:attachment_create": "Create an attachment.",
            "volume:attachment_update": "Connect an attachment.",
            "volume:attachment_delete": "Delete an attachment.",
            "volume:attachment_complete": "Say that an attachment is in use.",
            "volume:multiattach_bootable_volume": "Attach a bootable volume more than once.",
            "volume:create_snapshot": "Create a snapshot.",
            "volume:update_snapshot": "Update a snapshot.",
            "volume:delete_snapshot": "Delete a snapshot.",
            "volume:update_snapshot_metadata": "Change a snapshot's metadata.",
            "volume:delete_snapshot_metadata": "Delete from a snapshot's metadata.",
            "volume_extension:volume_type_access": "See whether a type is public.",
            "message:delete": "Delete a user message.",
        },
    ),
    *_all(
        ADMIN,
        {
            "volume:force_delete": "Delete a volume in any state.",
            "volume_extension:volume_host_attribute": "See where a volume lies.",
            "volume_extension:volume_mig_status_attribute": "See whether a volume migrates.",
            "volume_extension:volume_admin_actions:reset_status": "Set a volume's state.",
            "volume_extension:volume_admin_actions:force_delete": "Delete a volume in any state.",
            "volume_extension:volume_admin_actions:force_detach": "Detach a volume in any state.",
            "volume_extension:volume_admin_actions:extend_volume_completion": "End an extension.",
            "volume_extension:snapshot_admin_actions:reset_status": "Set a snapshot's state.",
            "volume_extension:snapshot_admin_actions:force_delete": "Delete a snapshot in any state.",
            "volume_extension:type_create": "Create a volume type.",
            "volume_extension:type_update": "Update a volume type.",
            "volume_extension:type_delete": "Delete a volume type.",
            "volume_extension:access_types_qos_specs_id": "See a type's QoS specs.",
            "volume_extension:volume_type_access:addProjectAccess": "Give a project a private type.",
            "volume_extension:volume_type_access:removeProjectAccess": "Take it back.",
            "volume_extension:volume_type_access:get_all_for_type": "List a type's projects.",
            "volume_extension:types_extra_specs:create": "Create extra specs.",
            "volume_extension:types_extra_specs:update": "Update extra specs.",
            "volume_extension:types_extra_specs:delete": "Delete extra specs.",
            "volume_extension:types_extra_specs:read_sensitive": "See all extra specs.",
            "volume_extension:default_set_or_update": "Set a project's default type.",
            "volume_extension:default_get": "Show a project's default type.",
            "volume_extension:default_get_all": "List projects' default types.",
            "volume_extension:default_unset": "Unset a project's default type.",
            "volume_extension:quotas:update": "Set quotas.",
            "volume_extension:quotas:delete": "Give a project the default quotas.",
            "volume_extension:quota_classes:get": "Show the default quotas.",
            "volume_extension:quota_classes:update": "Set the default quotas.",
            "volume_extension:services:index": "List services.",
            "volume_extension:services:update": "Enable and disable services.",
            "scheduler_extension:scheduler_stats:get_pools": "List pools.",
        },
    ),
    # Discovery within a project: any token will do, as in Cinder.
    Rule("celaje:any_token", "@", "Lists that hold nothing of anybody's.", _SCOPES),
]
