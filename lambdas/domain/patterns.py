"""Regular expressions that are compiled when they are first used: compiling them all would slow the start of
each function that imports them."""

import re
from typing import Any, cast


class _Lazy:
    def __init__(self, pattern: str, flags: re.RegexFlag) -> None:
        self._arguments = (pattern, flags)

    def __getattr__(self, name: str) -> Any:
        """Compile the pattern, and take its methods over, so that this is called once for each."""
        value = getattr(re.compile(*self._arguments), name)
        setattr(self, name, value)
        return value


def lazy_pattern(pattern: str, flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[str]:
    """Return what behaves like the compiled pattern. An invalid one raises re.error at its first use."""
    return cast(re.Pattern[str], _Lazy(pattern, flags))
