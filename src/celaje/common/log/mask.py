"""Secrets out of text and data before they are written down.

Called by the log handlers through `SecretFilter`, and by whoever keeps words of a client or a driver. It goes
by names (password, token, secret, key ...) and by forms (URL credentials, Fernet tokens, PEM keys), and
rather masks too much than too little.
"""

import functools
import logging
import re
from collections.abc import Mapping
from typing import Any

MASK = "***"

# Names that end so are secret (adminPass, X-Auth-Token, secret_key, temp_url_sig ...) ...
_ENDINGS = (
    r"password|passwd|passphrase|adminpass|[_\-.]pass|secret|token|token_id|credential|cookie"
    r"|signature|[_\-.]sig|authorization|private|key|key_?data"
)
# ... except these, which only sound so.
_HARMLESS = r"(?:public|sort|primary|foreign|routing|partition|idempotency|unknown|nearest)[_\-]?"
_NAME = rf"(?!{_HARMLESS}keys?\b)(?:[\w.\-]{{0,64}}?(?:{_ENDINGS})|pass)s?(?![\w\-])"
_SECRET_NAME = re.compile(_NAME, re.IGNORECASE)

_QUOTED = r"[bBuU]?(?P<{0}>['\"])(?:\\.|(?!(?P={0})).)*(?P={0})"
_LIST = r"\[[^\]]*\]|\((?!\w+\))[^)]*\)"

# What a text must contain, in lower case, before a form is worth trying: most lines hold none of it.
_NAMES = (
    *("pass", "secret", "token", "credential", "cookie", "authorization", "private", "key"),
    *("signature", "_sig", "-sig", ".sig"),
)


class _Form:
    """A pattern that is compiled when it is first needed: all of them at start would cost 30 ms."""

    def __init__(self, source: str, flags: int = 0):
        self._source, self._flags = source, flags

    @functools.cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(self._source, self._flags)


_FORMS: list[tuple[tuple[str, ...], _Form, str]] = [
    # -----BEGIN ... PRIVATE KEY----- blocks, also with their line ends escaped
    (
        ("private key-----",),
        _Form(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
        MASK,
    ),
    # scheme://user:password@host, up to the last @ before the path
    (
        ("://",),
        _Form(r"(?P<head>\b[a-zA-Z][\w+.\-]{0,30}://[^/\s:@'\"]*:)[^/\s]*(?=@)"),
        rf"\g<head>{MASK}",
    ),
    # Authorization: Bearer ..., Basic ...
    (
        ("bearer", "basic"),
        _Form(r"(?P<head>\b(?:bearer|basic)\s+)[\w\-.~+/]{8,}=*", re.IGNORECASE),
        rf"\g<head>{MASK}",
    ),
    # 'name': value of JSON and dictionaries
    (
        _NAMES,
        _Form(
            rf"(?P<head>(?P<n>\\?['\"]){_NAME}(?P=n)\s*[:=]\s*)"
            rf"(?:{_QUOTED.format('v')}|\\['\"].*?\\['\"]|{_LIST}|[^\s,;}}\])]+)",
            re.IGNORECASE | re.DOTALL,
        ),
        rf"\g<head>'{MASK}'",
    ),
    # 'name', 'value' of headers and argument lists
    (
        _NAMES,
        _Form(
            rf"(?P<head>[bB]?(?P<n>['\"]){_NAME}(?P=n)\s*,\s*){_QUOTED.format('v')}",
            re.IGNORECASE | re.DOTALL,
        ),
        rf"\g<head>'{MASK}'",
    ),
    # name=value, name: value
    (
        _NAMES,
        _Form(
            rf"(?P<head>(?<![\w.\-]){_NAME}\s*[:=]\s*)"
            rf"(?:{_QUOTED.format('v')}|(?:bearer|basic)\s+\S+|{_LIST}|[^\s,;&'\"}}\])]+)",
            re.IGNORECASE | re.DOTALL,
        ),
        rf"\g<head>{MASK}",
    ),
    # --name value of a command line
    (
        ("--",),
        _Form(rf"(?P<head>(?<![\w\-])--{_NAME}\s+)(?:{_QUOTED.format('v')}|[^\s-]\S*)", re.IGNORECASE),
        rf"\g<head>{MASK}",
    ),
    # a bare Fernet token
    (("gaaaa",), _Form(r"\bgAAAA[\w\-]{32,}=*"), MASK),
]


def is_secret(name: str) -> bool:
    """Whether a field of this name holds a secret."""
    return _SECRET_NAME.fullmatch(name) is not None


def mask(text: str) -> str:
    """The text with its secrets replaced by ***."""
    lowered = text.lower()
    for signs, form, replacement in _FORMS:
        for sign in signs:
            if sign in lowered:
                text = form.pattern.sub(replacement, text)
                break
    return text


def masked(data: Any) -> Any:
    """A copy of mappings, lists and tuples in which the values of secret fields are *** and texts are
    masked; other values are returned as they are."""
    if isinstance(data, Mapping):
        return {
            key: MASK if isinstance(key, str) and is_secret(key) and value is not None else masked(value)
            for key, value in data.items()
        }
    if type(data) in (list, tuple, set, frozenset):
        return type(data)(masked(item) for item in data)
    return mask(data) if isinstance(data, str) else data


class SecretFilter(logging.Filter):
    """Masks a record in place, for every handler from this one on; never drops one, never raises."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            if record.args:
                # Structure first: by field name it is exact where text is only likely.
                record.args = masked(record.args)
            words = record.getMessage()
        except Exception:
            # A message whose arguments do not fit: logging would print them raw to standard error.
            words, record.args = f"{record.msg} (its arguments do not fit)", ()
        safe = mask(words)
        if safe != words or not record.args:
            record.msg, record.args = safe, ()
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = mask(record.exc_text)
        if record.stack_info:
            record.stack_info = mask(record.stack_info)
        return True
