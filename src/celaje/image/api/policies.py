"""Policy rules of the image service, with Glance's names and its defaults of Secure RBAC.

Handlers check them against `access.target(image)`: project_id and owner are the image's, member_id the
project that it is shared with, visibility as it stands.
"""

from celaje.common.policy import Rule
from celaje.image.api.metadefs import policies as metadefs

_MEMBER = "role:member and project_id:%(project_id)s"
_READER = "role:reader and project_id:%(project_id)s"
_ADMIN = "rule:context_is_admin"
_SHARED_WITH = "project_id:%(member_id)s"
_VISIBLE = (
    f"project_id:%(project_id)s or {_SHARED_WITH} or 'community':%(visibility)s or "
    "'public':%(visibility)s or 'shared':%(visibility)s"
)
_ADMIN_OR_MEMBER = f"{_ADMIN} or ({_MEMBER})"
_ADMIN_OR_SHARED = f"{_ADMIN} or (role:member and {_SHARED_WITH})"
_SEE_MEMBERS = f"{_ADMIN} or role:reader and (project_id:%(project_id)s or {_SHARED_WITH})"

RULES = [
    *metadefs.RULES,
    Rule("default", "", "Whoever has a token: schemas and what the service offers.", ()),
    Rule("context_is_admin", "role:admin", "Who sees and changes every project's images.", ()),
    Rule("service_api", "role:service or role:admin", "Other services.", ()),
    Rule("add_image", f"{_ADMIN} or ({_MEMBER} and project_id:%(owner)s)", "Create an image"),
    Rule("delete_image", _ADMIN_OR_MEMBER, "Delete an image"),
    Rule("get_image", f"{_ADMIN} or (role:reader and ({_VISIBLE}))", "Show an image"),
    Rule("get_images", f"{_ADMIN} or ({_READER})", "List images"),
    Rule("modify_image", _ADMIN_OR_MEMBER, "Change an image, its tags; stage and import its data"),
    Rule("publicize_image", _ADMIN, "Make an image public"),
    Rule("communitize_image", _ADMIN_OR_MEMBER, "Make an image a community image"),
    Rule("download_image", f"{_ADMIN} or (role:member and ({_VISIBLE}))", "Read an image's data"),
    Rule("upload_image", _ADMIN_OR_MEMBER, "Send an image's data"),
    Rule("delete_image_location", _ADMIN, "Take a location off an image"),
    Rule("get_image_location", f"{_ADMIN} or ({_READER})", "See where the data lies (direct_url)"),
    Rule("set_image_location", _ADMIN_OR_MEMBER, "Give an image a location"),
    Rule("fetch_image_location", "rule:service_api", "List the locations of an image"),
    Rule(
        "add_image_location",
        f"rule:service_api or ({_MEMBER} and project_id:%(owner)s)",
        "Make an image of what lies at a location",
    ),
    Rule("cache_list", _ADMIN, "Show the image cache"),
    Rule("cache_image", _ADMIN, "Have an image fetched into the cache"),
    Rule("cache_delete", _ADMIN, "Take images out of the cache"),
    Rule("copy_image", _ADMIN, "Copy an image's data into further stores"),
    Rule("tasks_api_access", _ADMIN, "Start an import as a task, and watch tasks"),
    Rule("add_member", _ADMIN_OR_MEMBER, "Share an image"),
    Rule("delete_member", _ADMIN_OR_MEMBER, "Stop sharing an image"),
    Rule("get_member", _SEE_MEMBERS, "Show a member"),
    Rule("get_members", _SEE_MEMBERS, "List members"),
    Rule("modify_member", _ADMIN_OR_SHARED, "Accept or reject a shared image"),
    Rule("deactivate", _ADMIN_OR_MEMBER, "Deactivate an image"),
    Rule("reactivate", _ADMIN_OR_MEMBER, "Reactivate an image"),
    Rule("stores_info_detail", f"{_ADMIN} or rule:service_api", "Show the stores in detail"),
]
