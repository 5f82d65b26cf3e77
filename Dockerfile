# The service, with nothing of the training: docker build -t digits .
# Runs on a read-only root file system; it writes to /tmp and /dev/shm only.

# For the very same bytes every time, give a digest:
# --build-arg BASE=python:3.11-slim-bookworm@sha256:...
ARG BASE=python:3.11-slim-bookworm


FROM ${BASE} AS build

# The base's pip installs into the virtual environment, which never has its own.
# Hashes vouch for every file; wheels only, so that no package runs its code here.
# The packages' own test suites (16 MB) are not for serving.
COPY requirements/serve.txt /build/
RUN python -m venv --without-pip /venv \
 && python -m pip --python /venv/bin/python --disable-pip-version-check install \
        --quiet --no-cache-dir --no-compile --root-user-action ignore \
        --require-hashes --only-binary :all: --requirement /build/serve.txt \
 && find /venv/lib -type d -name tests -prune -exec rm -r {} + \
 && python -m compileall -q --invalidation-mode checked-hash /venv/lib

# Readable by any user, whatever the umask of the checkout was.
COPY model /app/model
COPY service /app/service
RUN chmod -R u=rwX,go=rX /app \
 && python -m compileall -q --invalidation-mode checked-hash /app


FROM ${BASE}

ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DIGITS_HOST=0.0.0.0

# Bytecode is made now, since on a read-only file system every start and every health
# check would compile anew (1.2 s to the first answer, 0.3 s with it), and the base brings
# none of the standard library. Nothing is installed from here on, so pip, setuptools and
# wheel go: scanners report their faults, and a running service has no use for them.
RUN python -m pip uninstall --quiet --yes --root-user-action ignore pip setuptools wheel \
 && python -m compileall -q --invalidation-mode checked-hash \
        -x '/(ensurepip|idlelib|lib2to3|pydoc_data|site-packages|test|tests|tkinter|turtledemo)/' \
        "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"

COPY --from=build /venv /venv
COPY --from=build /app /app

WORKDIR /app
# A number, so that an orchestrator can tell that it is not root.
USER 10001:10001

EXPOSE 8000
STOPSIGNAL SIGTERM

# Past any proxy: engines may put one into every container's environment.
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s --retries=3 \
    CMD ["python", "-I", "-S", "-c", "import os, urllib.request as u; u.build_opener(u.ProxyHandler({})).open('http://127.0.0.1:' + (os.environ.get('DIGITS_PORT') or '8000') + '/healthz', timeout=4)"]

ENTRYPOINT ["python", "-m", "service"]

# Down here, so that a new version makes nothing above anew.
ARG VERSION=unknown

# An image whose model or settings do not allow a start is not built. Between ARG and LABEL:
# buildah's layer cache gives an old label when no RUN follows the argument (its issue 5501).
RUN ["python", "-m", "service", "--check"]

LABEL org.opencontainers.image.title="digits" \
      org.opencontainers.image.description="A service that reads handwritten digits" \
      org.opencontainers.image.version="${VERSION}"
