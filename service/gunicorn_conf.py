"""gunicorn's configuration: what ``gunicorn -c python:service.gunicorn_conf`` reads.

The master stays small: it imports neither NumPy nor Flask, only its workers do.
"""

import itertools
import os
import shutil
import signal
from functools import partial
from pathlib import Path
from typing import Any

from service import cores, metric_room
from service.settings import METRICS_VARIABLE, Settings

_settings = Settings.from_env(os.environ)

_host = f"[{_settings.host}]" if ":" in _settings.host else _settings.host  # IPv6, RFC 3986
_ports = [_settings.port, *([_settings.operations_port] if _settings.operations_port else [])]
bind = [f"{_host}:{port}" for port in _ports]
workers = _settings.workers or cores.available()
worker_class = "service.worker.EventLoopWorker"
graceful_timeout = _settings.graceful_timeout
loglevel = _settings.log_level
control_socket_disable = True  # it fails on a read-only file system, and nobody uses it here
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # nosec B108  # noqa: S108 - heartbeats must not wait for a disk

# A serving worker is one of several and its products are small: more threads
# than one only fight over the cores. Read by BLAS when NumPy is imported.
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")


# A worker has its master's handlers until it has set its own, and would lose what it is told
# meanwhile: these wait until it is ready to hear them.
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


def on_starting(server: Any) -> None:
    """Let no signal to a worker be lost; give all a directory for their metrics.

    Without one each counts for itself.
    """
    os.register_at_fork(
        before=partial(signal.pthread_sigmask, signal.SIG_BLOCK, ENDING),
        after_in_parent=partial(signal.pthread_sigmask, signal.SIG_UNBLOCK, ENDING),
    )
    os.environ.pop(METRICS_VARIABLE, None)
    directory = metric_room.find(_settings.metrics_dir, workers, server.log.error)
    if directory:
        os.environ[METRICS_VARIABLE] = str(directory)


def pre_fork(server: Any, worker: Any) -> None:
    """Give the worker the lowest slot that no living worker has; see service/metric_files.py."""
    taken = {living.slot for living in server.WORKERS.values()}
    worker.slot = next(slot for slot in itertools.count() if slot not in taken)


def post_worker_init(_worker: Any) -> None:
    """In a worker that has its handlers and its application: hear what it was told meanwhile."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)


def child_exit(_server: Any, worker: Any) -> None:
    """In the master, when a worker has ended in whatever way."""
    if METRICS_VARIABLE in os.environ:
        metric_room.forget_gauges(Path(os.environ[METRICS_VARIABLE]), worker.slot)


def on_exit(_server: Any) -> None:
    """Leave no temporary directory behind."""
    directory = os.environ.get(METRICS_VARIABLE)
    if directory and Path(directory) != _settings.metrics_dir:
        shutil.rmtree(directory, ignore_errors=True)
