FROM python:3.12-slim-bookworm

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 TZ=Asia/Shanghai

RUN useradd --create-home --uid 1000 zhengku \
    && install --directory --owner zhengku --mode 0700 \
        /home/zhengku/airflow /data /data/logs /data/landing /data/reports /data/simulator

WORKDIR /opt/zhengku

# Packages first, so that a change of our code does not install them again. Of the code only the version is read.
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY include/zhengku/__init__.py include/zhengku/__init__.py
ARG EXTRAS=airflow,cluster,mysql,simulator
RUN pip install --constraint constraints.txt uv \
    && uv pip install --system --no-cache --compile-bytecode --constraint constraints.txt ".[${EXTRAS}]" \
    && uv pip uninstall --system zhengku

COPY include include
COPY dags dags
COPY plugins plugins
COPY sql sql
COPY expectations expectations
# Editable, since the catalogue, sql/ and expectations/ are found next to the package.
RUN uv pip install --system --no-cache --no-deps --editable . && python -m compileall -q include dags plugins

USER zhengku
# No entry point: docker-compose.yml has each complete command.
CMD ["airflow", "version"]
