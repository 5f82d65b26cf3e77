# Two images. The service, with nothing of the training:  docker build -t digits .
# The retraining job:                    docker build -t digits-training --target training .
#
# Both run on a read-only root file system. The service writes to /tmp and /dev/shm only, the
# job to /models, /data and /work.

# For the very same bytes every time, give a digest:
# --build-arg BASE=python:3.11-slim-bookworm@sha256:...
ARG BASE=python:3.11-slim-bookworm


FROM ${BASE} AS packages

# The base's pip installs into the virtual environment, which never has its own.
# Hashes vouch for every file; wheels only, so that no package runs its code here.
ENV PIP="python -m pip --python /venv/bin/python --disable-pip-version-check install --quiet \
        --no-cache-dir --no-compile --root-user-action ignore --require-hashes --only-binary :all:"
COPY requirements/serve.txt requirements/image.txt /build/
COPY deploy/image/trim.py /build/
RUN python -m venv --without-pip /venv \
 && ${PIP} --requirement /build/serve.txt --requirement /build/image.txt \
 && python /build/trim.py /venv/lib


FROM packages AS training-packages

COPY requirements/train.txt /build/
RUN ${PIP} --requirement /build/train.txt


# What both images begin with. Nothing is installed from here on, so pip, setuptools and wheel
# go: scanners report their faults, and what runs has no use for them.
FROM ${BASE} AS runtime

ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
RUN python -m pip uninstall --quiet --yes --root-user-action ignore pip setuptools wheel

WORKDIR /app
STOPSIGNAL SIGTERM


FROM runtime AS sources

# Readable by any user, whatever the umask of the checkout was.
COPY model /app/model
COPY service /app/service
COPY training /app/training
RUN chmod -R u=rwX,go=rX /app


# In both images the shipped models are a store: a named volume that is mounted there begins as
# their copy.
FROM runtime AS training

COPY --from=training-packages /venv /venv
COPY --from=sources /app /app
COPY --from=sources --chown=10001:10001 /app/model/releases /models
RUN install --directory --owner=10001 --group=10001 /data /work

# A number, so that an orchestrator can tell that it is not root.
USER 10001:10001
ENV DIGITS_STORE=/models \
    DIGITS_DATA=/data
ENTRYPOINT ["dumb-init", "--single-child", "--", "python", "-m", "training"]

ARG BASE
ARG VERSION=unknown
ARG REVISION=unknown
RUN ["python", "-m", "training", "--help"]
LABEL org.opencontainers.image.title="digits-training" \
      org.opencontainers.image.description="Retrains the model of digits behind a gate" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE}"


FROM runtime AS service

COPY --from=packages /venv /venv
COPY --from=sources /app/model /app/model
COPY --from=sources /app/service /app/service

COPY --from=sources --chown=10001:10001 /app/model/releases /models

COPY deploy/image/warm.py /build/
RUN PYTHONPATH=/app python /build/warm.py && rm -r /build

USER 10001:10001
ENV DIGITS_HOST=0.0.0.0 \
    DIGITS_STORE=/models
EXPOSE 8000

# Past any proxy: engines may put one into every container's environment.
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s --retries=3 \
    CMD ["python", "-I", "-S", "-c", "import os, urllib.request as u; u.build_opener(u.ProxyHandler({})).open('http://127.0.0.1:' + (os.environ.get('DIGITS_PORT') or '8000') + '/healthz', timeout=4)"]

# The init takes over what is orphaned; only the service hears its signals.
ENTRYPOINT ["dumb-init", "--single-child", "--", "python", "-m", "service"]

# Down here, so that a new version makes nothing above anew.
ARG BASE
ARG VERSION=unknown
ARG REVISION=unknown

# An image whose model or settings do not allow a start is not built. Between ARG and LABEL:
# buildah's layer cache gives an old label when no RUN follows the argument (its issue 5501).
RUN ["python", "-m", "service", "--check"]

LABEL org.opencontainers.image.title="digits" \
      org.opencontainers.image.description="A service that reads handwritten digits" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE}"
