"""FFmpeg's own programs, where they do what PyAV's libraries were built without."""

import shutil
import subprocess

from kdsharp.errors import UserError

_QUIET = ("-hide_banner", "-loglevel", "error")

# Long enough to see what streams there are; by default five seconds go by.
_SOON = ("-fflags", "nobuffer", "-probesize", "100000", "-analyzeduration", "300000")


def _found(program: str, what: str) -> str:
    if not (path := shutil.which(program)):
        raise UserError(f"{what} needs the program {program}: install ffmpeg")
    return path


def window(title: str) -> subprocess.Popen:
    """Returns ffplay with a window that shows the NUT it is fed."""
    command = [
        _found("ffplay", "a window"),
        *_QUIET,
        *("-fflags", "nobuffer", "-flags", "low_delay", "-framedrop"),
        *("-probesize", "32", "-analyzeduration", "0", "-sync", "ext"),
        *("-window_title", title, "-f", "nut", "-i", "pipe:0"),
    ]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)


def sender(url: str) -> subprocess.Popen:
    """Returns ffmpeg that sends the transport stream it is fed to that address."""
    command = [
        _found("ffmpeg", url.partition(":")[0]),
        *_QUIET,
        *(*_SOON, "-f", "mpegts", "-i", "pipe:0"),
        *("-map", "0", "-c", "copy", "-f", "mpegts", "-flush_packets", "1", url),
    ]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)


def receiver(url: str) -> subprocess.Popen:
    """Returns ffmpeg that gives what comes from that address as a transport stream."""
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
    """Ends the program; what it was fed it first shows or sends."""
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
        # One that still waits for somebody to call hears no less.
        process.kill()
        process.wait()
