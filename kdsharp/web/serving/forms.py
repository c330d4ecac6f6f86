"""Files in forms (multipart/form-data, RFC 7578)."""

import re
from email.message import Message

from kdsharp.web.serving.refusals import Refusal

_FILE = re.compile(rb"^content-disposition:[^\r\n]*\bfilename\*?=", re.I | re.M)


def file(body: bytes, content_type: str) -> bytes:
    """The only file of a form, or the whole body if it is not a form."""
    header = Message()
    header["Content-Type"] = content_type
    if header.get_content_type() != "multipart/form-data":
        return body
    boundary = header.get_param("boundary")
    if not isinstance(boundary, str) or not boundary:
        raise Refusal(400, "the form does not state its boundary")
    found = _files(body, b"--" + boundary.encode("latin-1", "replace"))
    if len(found) != 1:
        raise Refusal(400, f"a form must contain one file, not {len(found)}")
    start, end = found[0]
    return body[start:end]


def _files(body: bytes, mark: bytes) -> list[tuple[int, int]]:
    """The start and end of each file in a form."""
    found = []
    at = 0 if body.startswith(mark) else body.find(b"\r\n" + mark)
    while at >= 0:
        end = body.find(b"\r\n" + mark, at + len(mark))
        start = body.find(b"\r\n\r\n", at, end) + 4
        if end < 0 or start < 4:
            break
        if _FILE.search(body, at, start):
            found.append((start, end))
        at = end
    return found
