"""Opens files and streams for reading, with any supported version of PyAV."""

from typing import Any

import av
from av.container import InputContainer

_MAJOR = int(av.__version__.partition(".")[0])
# PyAV 19 keeps metadata that is not UTF-8 as it is, and no longer has the option.
_METADATA: dict[str, Any] = {"metadata_errors": "replace"} if _MAJOR < 19 else {}


def open_input(file: str, **options: Any) -> InputContainer:
    """Opens a file or stream; metadata that is not UTF-8 is no error."""
    container = av.open(file, **options, **_METADATA)
    assert isinstance(container, InputContainer)
    return container
