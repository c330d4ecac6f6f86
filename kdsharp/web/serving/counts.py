"""Metrics of the server, for Prometheus."""

import time
from collections import Counter


class Counts:
    """Counts requests by status, time and bytes."""

    def __init__(self):
        self._started = time.time()
        self._statuses: Counter[int] = Counter()
        self._seconds = 0.0
        self._taken = self._given = 0

    def answered(self, status: int) -> None:
        self._statuses[status] += 1

    def sharpened(self, seconds: float, taken: int, given: int) -> None:
        """Counts a sharpened picture."""
        self._seconds += seconds
        self._taken += taken
        self._given += given

    def text(self, *, waiting: int, held: int, answers: int) -> str:
        """All metrics in Prometheus' text format."""
        done = self._statuses[200]
        lines = [
            *_header("kdsharp_requests_total", "counter", "Requests for pictures."),
            *(
                f'kdsharp_requests_total{{status="{status}"}} {count}'
                for status, count in sorted(self._statuses.items())
            ),
            *_header(
                "kdsharp_seconds",
                "summary",
                "Time from the complete upload to the answer.",
            ),
            f"kdsharp_seconds_sum {self._seconds:.6f}",
            f"kdsharp_seconds_count {done}",
        ]
        for name, kind, words, value in (
            (
                "bytes_taken_total",
                "counter",
                "Bytes of pictures sharpened.",
                self._taken,
            ),
            ("bytes_given_total", "counter", "Bytes of their answers.", self._given),
            ("waiting", "gauge", "Pictures in progress or in the queue.", waiting),
            ("held_bytes", "gauge", "Bytes of bodies in memory.", held),
            ("answer_bytes", "gauge", "Bytes of answers not yet taken.", answers),
            ("start_seconds", "gauge", "When the server began.", self._started),
        ):
            lines += [
                *_header(f"kdsharp_{name}", kind, words),
                f"kdsharp_{name} {value}",
            ]
        return "\n".join(lines) + "\n"


def _header(name: str, kind: str, words: str) -> list[str]:
    return [f"# HELP {name} {words}", f"# TYPE {name} {kind}"]
