# One image for web processes, workers and commands; everything else comes from the environment (docs/operations.md).
FROM python:3.13-slim AS packages
WORKDIR /app
COPY requirements.lock .
RUN python -m venv .venv && .venv/bin/pip install --no-cache-dir --require-hashes -r requirements.lock

FROM python:3.13-slim
# pg_dump and psql, for `manage.py backup` and `restore`; as new as the server of compose.yaml.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ffmpeg postgresql-client \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --no-create-home ventanilla && mkdir /data && chown ventanilla /data
WORKDIR /app
COPY --from=packages /app/.venv .venv
COPY manage.py ./
COPY catalog catalog
COPY config config
COPY conversations conversations
COPY crm crm
COPY locale locale
COPY simulator simulator
COPY static static
COPY templates templates
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 BIND=0.0.0.0 PORT=8000 DATA_DIR=/data STATIC_ROOT=/app/collected
# The keys are only for this step and are in no layer.
RUN SECRET_KEY=none ENCRYPTION_KEYS=none ALLOWED_HOSTS=none DATA_DIR=/tmp python manage.py collectstatic --noinput
USER ventanilla
VOLUME /data
EXPOSE 8000
CMD ["python", "-m", "config.serve"]
