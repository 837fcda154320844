"""What one format module found: made by the format modules, gathered by the inspector."""

from dataclasses import dataclass, field


@dataclass
class Finding:
    """virtual_size in bytes; `problems` are sentences on why a hypervisor must not open the image."""

    virtual_size: int | None = None
    backing_file: str | None = None
    data_file: str | None = None
    problems: list[str] = field(default_factory=list)


def shown(raw: bytes, limit: int = 255) -> str:
    """A name out of a header as text that is safe to print: hostile bytes must not reach a log as such."""
    text = raw.split(b"\0", 1)[0][:limit].decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else "?" for letter in text)
