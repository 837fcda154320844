"""What oslo.config imports for a few of its types and most processes never use: loaded at first use.

Called by `conf/__init__.py` before oslo.config comes. The standard library's LazyLoader does not serve:
with it, an `import` statement is a first use already.
"""

import importlib
import sys
from types import ModuleType
from typing import Any

_SELDOM = ("netaddr", "rfc3986", "stevedore")


class _Deferred(ModuleType):
    def __getattr__(self, name: str) -> Any:
        # Whoever imports a part of it asks for the path, and needs the whole.
        if name.startswith("__") and name != "__path__":
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


def defer() -> None:
    for name in _SELDOM:
        sys.modules.setdefault(name, _Deferred(name))
