"""Policy rules of metadata definitions, with Glance's names and defaults. The target is the namespace."""

from celaje.common.policy import Rule

_ADMIN = "rule:context_is_admin"
_SEE = f"{_ADMIN} or (role:reader and (project_id:%(project_id)s or 'public':%(visibility)s))"
_CHANGE = "rule:metadef_admin"

RULES = [
    Rule("metadef_admin", _ADMIN, "Who changes metadata definitions.", ()),
    Rule("get_metadef_namespace", _SEE, "Show a namespace"),
    Rule(
        "get_metadef_namespaces",
        f"{_ADMIN} or (role:reader and project_id:%(project_id)s)",
        "List the namespaces that one sees",
    ),
    Rule("add_metadef_namespace", _CHANGE, "Create a namespace"),
    Rule("modify_metadef_namespace", _CHANGE, "Change a namespace"),
    Rule("delete_metadef_namespace", _CHANGE, "Delete a namespace, or all definitions of a kind in it"),
    Rule("list_metadef_resource_types", f"{_ADMIN} or role:reader", "List the resource types"),
    Rule("get_metadef_resource_type", _SEE, "List a namespace's resource types"),
    Rule("add_metadef_resource_type_association", _CHANGE, "Associate a resource type"),
    Rule("remove_metadef_resource_type_association", _CHANGE, "Take a resource type off"),
    Rule("remove_metadef_property", _CHANGE, "Delete a property's definition"),
    Rule("delete_metadef_object", _CHANGE, "Delete an object's definition"),
    Rule("delete_metadef_tag", _CHANGE, "Delete a tag's definition"),
    Rule("add_metadef_tags", _CHANGE, "Define several tags at once"),
    *(
        Rule(f"{verb}_metadef_{name}", check, f"{words} {name.replace('_', ' ')} definition(s)")
        for verb, check, words, names in (
            ("get", _SEE, "Show", ("object", "objects", "property", "properties", "tag", "tags")),
            ("add", _CHANGE, "Create", ("object", "property", "tag")),
            ("modify", _CHANGE, "Change", ("object", "property", "tag")),
        )
        for name in names
    ),
]
