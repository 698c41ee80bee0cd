from typing import Any


def fast_table(files: Any, wanted: Any) -> Any:
    return None
