"""FFmpeg's programs, for features that PyAV's libraries are built without."""

import shutil
import subprocess

from kdsharp.errors import UserError

_QUIET = ("-hide_banner", "-loglevel", "error")

# Shortens the analysis of the stream, which takes five seconds by default.
_SOON = ("-fflags", "nobuffer", "-probesize", "100000", "-analyzeduration", "300000")


def _found(program: str, what: str) -> str:
    if not (path := shutil.which(program)):
        raise UserError(f"{what} needs the program {program}: install ffmpeg")
    return path


def window(title: str) -> subprocess.Popen:
    """Starts ffplay, which shows NUT from its standard input in a window."""
    command = [
        _found("ffplay", "a window"),
        *_QUIET,
        *("-fflags", "nobuffer", "-flags", "low_delay", "-framedrop"),
        *("-probesize", "32", "-analyzeduration", "0", "-sync", "ext"),
        *("-window_title", title, "-f", "nut", "-i", "pipe:0"),
    ]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)


def sender(url: str) -> subprocess.Popen:
    """Starts ffmpeg, which sends a transport stream from its standard input."""
    command = [
        _found("ffmpeg", url.partition(":")[0]),
        *_QUIET,
        *(*_SOON, "-f", "mpegts", "-i", "pipe:0"),
        *("-map", "0", "-c", "copy", "-f", "mpegts", "-flush_packets", "1", url),
    ]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)


def receiver(url: str) -> subprocess.Popen:
    """Starts ffmpeg, which receives a stream and writes it to standard output."""
    command = [
        _found("ffmpeg", url.partition(":")[0]),
        *_QUIET,
        *(*_SOON, "-i", url, "-map", "0", "-c", "copy"),
        *("-f", "mpegts", "-flush_packets", "1", "-muxdelay", "0", "pipe:1"),
    ]
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


def end(process: subprocess.Popen | None) -> None:
    """Ends the program after it has processed its input."""
    if process is None:
        return
    if process.stdin:
        process.stdin.close()
    if process.stdout:
        process.terminate()
        process.stdout.close()
    try:
        process.wait(2)
    except subprocess.TimeoutExpired:
        # A program that still waits for a connection does not end by itself.
        process.kill()
        process.wait()
