"""A commented configuration file from the options' own descriptions.

Called by `Configuration.sample`.
"""

import textwrap
from collections.abc import Mapping, Sequence

from oslo_config import cfg, types

_NAMES: list[tuple[type, str]] = [
    (types.Boolean, "true or false"),
    (types.Port, "port"),
    (types.Integer, "integer"),
    (types.Float, "number"),
    (types.List, "list"),
    (types.Dict, "key:value, ..."),
]


def sample(options: Mapping[str | None, Sequence[cfg.Opt]]) -> str:
    """Every option commented out at its default, [DEFAULT] first."""
    blocks = []
    for group in sorted(options, key=lambda name: (name is not None, name or "")):
        blocks.append(f"[{group or 'DEFAULT'}]")
        blocks += [_entry(option) for option in options[group]]
    return "\n\n".join(blocks) + "\n"


def _entry(option: cfg.Opt) -> str:
    words = f"{option.help or ''} ({limits_of(option)})".strip()
    lines = textwrap.wrap(words, 100)
    lines += [f"Older name: [{old.group or 'same group'}] {old.name or option.dest}" for old in _old(option)]
    if option.deprecated_for_removal:
        lines.append(f"Deprecated. {option.deprecated_reason or ''}".strip())
    return "\n".join([*(f"# {line}" for line in lines), f"#{option.dest} = {default_of(option)}".rstrip()])


def _old(option: cfg.Opt) -> list[cfg.DeprecatedOpt]:
    return list(option.deprecated_opts)


def limits_of(option: cfg.Opt) -> str:
    """Type and bounds in words."""
    kind = next((name for cls, name in _NAMES if isinstance(option.type, cls)), "text")
    parts = [kind]
    choices = getattr(option.type, "choices", None)
    if choices:
        parts = ["one of " + ", ".join(str(choice) for choice in choices)]
    least, most = getattr(option.type, "min", None), getattr(option.type, "max", None)
    if least is not None:
        parts.append(f"at least {least}")
    if most is not None:
        parts.append(f"at most {most}")
    if option.required:
        parts.append("required")
    if option.multi:
        parts.append("may be repeated")
    return ", ".join(parts)


def default_of(option: cfg.Opt) -> str:
    """As a file would have it."""
    value = option.sample_default if option.sample_default is not None else option.default
    if value is None or (option.multi and not value):
        # A repeatable option that is given empty would have one empty value.
        return "<not set>"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        inside = ",".join(str(item) for item in value)
        return f"[{inside}]" if getattr(option.type, "bounds", False) else inside
    if isinstance(value, dict):
        return ",".join(f"{key}:{item}" for key, item in value.items())
    return str(value)
