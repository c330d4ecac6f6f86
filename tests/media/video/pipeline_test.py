"""The pipeline: order, bounds, failures and timing."""

import threading
import time

import pytest
from absl.testing import absltest

from kdsharp.media.video import pipeline
from kdsharp.media.video.pipeline import Stage
from tests import waiting


class PipelineTest(absltest.TestCase):
    def test_items_pass_every_stage_in_order(self):
        done = []
        stages = [Stage("square", lambda x: x * x), Stage("collect", done.append)]
        found = pipeline.run(range(200), "count", stages)
        self.assertEqual(done, [number**2 for number in range(200)])
        self.assertEqual(
            [stage.name for stage in found], ["count", "square", "collect"]
        )

    def test_fast_stages_wait_for_slow_ones(self):
        begun, ahead = [], []
        release = threading.Semaphore(0)

        def numbers():
            for number in range(50):
                begun.append(number)
                yield number

        def slow(number):
            release.acquire()
            ahead.append(len(begun) - number)

        def let_go():
            release.release()

        stages = [Stage("pass", lambda x: x), Stage("slow", slow)]
        thread = threading.Thread(
            target=lambda: [(time.sleep(0.002), let_go()) for _ in range(50)]
        )
        thread.start()
        pipeline.run(numbers(), "count", stages)
        thread.join()
        # Two queues of four, and what each of three threads has in its hands.
        self.assertLessEqual(max(ahead), 2 * 4 + 3)

    def test_stages_run_in_parallel(self):
        # Each waits for the other, which a pipeline of one thread could never do.
        meeting = threading.Barrier(2, timeout=waiting.PATIENCE)

        def first(number):
            if number > 0:
                meeting.wait()
            return number

        def second(number):
            if number < 9:
                meeting.wait()

        pipeline.run(range(10), "count", [Stage("a", first), Stage("b", second)])
        self.assertFalse(meeting.broken)

    def test_a_failure_ends_every_stage_and_is_raised(self):
        def fail(number):
            if number == 7:
                raise ValueError("seven")
            return number

        before = set(threading.enumerate())
        with self.assertRaisesRegex(ValueError, "seven"):
            pipeline.run(iter(int, 1), "endless", [Stage("a", lambda x: fail(7))])
        done = []
        with self.assertRaisesRegex(ValueError, "seven"):
            pipeline.run(
                range(10**9), "many", [Stage("a", fail), Stage("b", done.append)]
            )
        self.assertEqual(done, sorted(done))
        self.assertLessEqual(set(threading.enumerate()), before)

    def test_exceptions_of_the_caller_end_all_stages(self):
        def interrupted():
            raise KeyboardInterrupt

        before = set(threading.enumerate())
        with self.assertRaises(KeyboardInterrupt):
            pipeline.run(iter(int, 1), "endless", [Stage("a", id)], interrupted)
        self.assertLessEqual(set(threading.enumerate()), before)

    @pytest.mark.slow
    def test_waiting_does_not_count_as_busy(self):
        stages = [
            Stage("rest", lambda x: x),
            # So long that the rest is idle beside it on a busy machine, too.
            Stage("sleep", lambda _: time.sleep(0.1)),
        ]
        count, rest, sleep = pipeline.run(range(10), "count", stages)
        self.assertGreater(sleep.busy, 1)
        self.assertLess(rest.busy, sleep.busy / 4)
        self.assertLess(count.busy, sleep.busy / 4)


if __name__ == "__main__":
    absltest.main()
