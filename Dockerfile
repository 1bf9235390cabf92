# By digest in production: docker/pin-images.sh.
ARG PYTHON_IMAGE=python:3.12-slim-bookworm
FROM ${PYTHON_IMAGE}

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 TZ=Asia/Shanghai

RUN useradd --create-home --uid 1000 zhengku \
    && install --directory --owner zhengku --mode 0700 \
        /home/zhengku/airflow /data /data/logs /data/landing /data/reports /data/simulator

WORKDIR /opt/zhengku

# Packages first, so that a change of our code does not install them again. Only wheels, each with one of the hashes of
# constraints.txt; the installer and the build tool too.
COPY pyproject.toml constraints.txt ./
ARG EXTRAS=airflow,cluster,metrics,mysql,simulator
RUN sed -n -e '/^uv==/,/[^\\]$/p' -e '/^setuptools==/,/[^\\]$/p' constraints.txt > /tmp/tools.txt \
    && pip install --require-hashes --only-binary :all: --requirement /tmp/tools.txt \
    && uv pip install --system --no-cache --compile-bytecode --no-build --require-hashes --constraint constraints.txt \
        --requirement pyproject.toml $(printf -- '--extra %s ' $(echo "$EXTRAS" | tr , ' '))

COPY README.md LICENSE ./
COPY include include
COPY dags dags
COPY plugins plugins
COPY sql sql
COPY expectations expectations
COPY docs/runbooks docs/runbooks
# Editable, since the catalogue, sql/, expectations/ and the runbooks are found next to the package.
RUN uv pip install --system --no-cache --no-deps --no-build-isolation --editable . && python -m compileall -q include dags plugins

USER zhengku
# No entry point: docker-compose.yml has each complete command.
CMD ["airflow", "version"]
