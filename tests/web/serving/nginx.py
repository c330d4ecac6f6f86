"""A real nginx in front of a server, configured as its documentation says."""

import contextlib
import pathlib
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator

from tests import waiting

PROGRAM = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/bin")
WHY_NOT = "needs nginx (apt-get install nginx-light)"

_CONFIG = """
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/errors;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    client_max_body_size 32m;
    location / {{
      proxy_pass http://127.0.0.1:{behind};
      proxy_request_buffering off;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Forwarded-Proto https;
    }}
  }}
}}
"""


@contextlib.contextmanager
def before(behind: int) -> Iterator[int]:
    """Yields the port of a proxy for what listens at another port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder, "nginx.conf")
        config.write_text(_CONFIG.format(folder=folder, port=port, behind=behind))
        with subprocess.Popen([PROGRAM, "-c", config, "-e", "stderr"]) as process:
            try:
                waiting.until(
                    lambda: _listens(port),
                    "nginx to listen",
                    ended=lambda: process.poll() is not None,
                )
                yield port
            finally:
                process.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
