# Two images: `operator` (operator and coordinator, no torch) and `trainer` (trains, serves, runs MLflow's server).
#   docker build --target operator .      docker build --target trainer .
# The classic builder is enough. Layers go from what hardly ever changes to what always does: base, torch with CUDA,
# other dependencies, our code; so a change of code moves some hundred kilobytes.
ARG PYTHON_BASE=python:3.13-slim
# Only the stages that install run on this one, so that certificates and index settings which an installation may
# need stay out of the images (`python3 -m hack images` makes it from the settings of the machine).
ARG BUILD_BASE=${PYTHON_BASE}

FROM ${PYTHON_BASE} AS base
RUN echo 'trainyard:x:10001:10001::/tmp:/usr/sbin/nologin' >> /etc/passwd \
 && mkdir -p /var/lib/trainyard && chown 10001:10001 /var/lib/trainyard
ENV PATH=/opt/venv/bin:/opt/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/opt/trainyard \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    GIT_PYTHON_REFRESH=quiet \
    HOME=/tmp

FROM ${BUILD_BASE} AS installer
# Byte code that names no time makes the same layers from the same packages, whenever they are installed.
ENV UV_PYTHON_DOWNLOADS=never VIRTUAL_ENV=/opt/venv PYC_INVALIDATION_MODE=UNCHECKED_HASH
RUN python3 -m venv /opt/uv && /opt/uv/bin/pip install --quiet --no-cache-dir uv==0.13.9 \
 && python3 -m venv --without-pip /opt/venv

FROM installer AS operator-dependencies
COPY requirements/operator.txt /opt/
RUN /opt/uv/bin/uv pip install --quiet --no-cache --require-hashes --compile-bytecode -r /opt/operator.txt \
 && find /opt/venv -type d \( -name tests -o -name test \) -prune -exec rm -rf {} +

FROM installer AS code
COPY operator/trainyard /opt/trainyard/trainyard
COPY trainer/trainyard_model /opt/trainyard/trainyard_model
COPY trainer/trainyard_trainer /opt/trainyard/trainyard_trainer
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /opt/trainyard && mkdir /opt/bin \
 && printf '#!/opt/venv/bin/python\nimport sys\nfrom trainyard.cli import main\nsys.exit(main())\n' > /opt/bin/trainyard \
 && chmod 755 /opt/bin/trainyard

FROM base AS operator
COPY --from=operator-dependencies /opt/venv /opt/venv
# Settings before code: the classic builder makes a container for each line after a changed layer.
USER 10001:10001
WORKDIR /tmp
ENTRYPOINT ["trainyard"]
CMD ["operator"]
COPY --from=code /opt/trainyard/trainyard /opt/trainyard/trainyard
COPY --from=code /opt/bin /opt/bin

# torch with its CUDA libraries, cut into parts of like size that are compressed and moved side by side.
FROM installer AS torch
COPY requirements/torch.txt /opt/
RUN /opt/uv/bin/uv pip install --quiet --no-cache --require-hashes --compile-bytecode -r /opt/torch.txt \
 && cd /opt/venv/lib/python3*/site-packages && site=$PWD && find . -name '*.a' -delete \
 && take() { part=$1; shift; for item in "$@"; do \
      mkdir -p "/parts/$part$site/$(dirname "$item")" && mv "$item" "/parts/$part$site/$item"; done; } \
 && take 1 nvidia/cu13 && take 2 nvidia && take 3 triton && take 4 torch && take 5 *

# Everything else that the trainer needs: what trainer.txt has beyond torch.txt.
FROM installer AS trainer-dependencies
COPY requirements/torch.txt requirements/trainer.txt /opt/
RUN awk '/^[a-z]/ { name = $1; sub(/==.*/, "", name); keep = FILENAME ~ /trainer/ && !(name in torch); \
               if (FILENAME ~ /torch/) torch[name] } keep' /opt/torch.txt /opt/trainer.txt > /opt/rest.txt \
 && /opt/uv/bin/uv pip install --quiet --no-cache --require-hashes --no-deps --compile-bytecode -r /opt/rest.txt

FROM base AS trainer
COPY --from=torch /parts/1 /
COPY --from=torch /parts/2 /
COPY --from=torch /parts/3 /
COPY --from=torch /parts/4 /
COPY --from=torch /parts/5 /
COPY --from=trainer-dependencies /opt/venv /opt/venv
ENV TRAINYARD_WORKDIR=/var/lib/trainyard
USER 10001:10001
WORKDIR /tmp
ENTRYPOINT ["python", "-m", "trainyard_trainer"]
COPY --from=code /opt/trainyard /opt/trainyard
COPY --from=code /opt/bin /opt/bin
