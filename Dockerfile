# The operator's image: Python, the runtime dependencies as locked in uv.lock, and nothing else. docs/how-to/image.md has more.
#   docker build -t nemo-eval-operator:0.1.0 .
#   docker build -t nemo-local-evaluator:0.1.0 --target local-evaluator .

# The digest, which covers all architectures, is what counts; the tag says what it was. --build-arg BASE=… names a mirror.
ARG BASE=docker.io/library/python:3.13.16-slim-trixie@sha256:bf44cdfcb76cd3b41e879bc058fc37ec5872002ccfde7fcb765e218cde0cd79c

FROM ${BASE} AS tools
RUN pip install --no-cache-dir uv==0.13.9
ENV UV_LINK_MODE=copy UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never
WORKDIR /app
COPY pyproject.toml uv.lock ./
COPY deploy/image/rootfs.py ./

FROM tools AS build-local-evaluator
COPY local-evaluator local-evaluator
RUN uv sync --locked --no-dev --no-editable --package nemo-local-evaluator
RUN python rootfs.py prune local-evaluator .venv && python rootfs.py assemble local-evaluator .venv /rootfs

FROM scratch AS local-evaluator
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="nemo-local-evaluator" \
      org.opencontainers.image.description="NVIDIA NeMo Evaluator's v1 REST API by a small server" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build-local-evaluator /rootfs /
ENV PATH=/app/.venv/bin PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/home/nonroot
USER 65532:65532
EXPOSE 7331
ENTRYPOINT ["nemo-local-evaluator"]
CMD ["serve", "--data", "/data", "--host", "::"]

FROM tools AS build
# Dependencies first: they change more rarely than the code.
COPY local-evaluator/pyproject.toml local-evaluator/
RUN uv sync --locked --no-dev --no-install-project
COPY README.md LICENSE ./
COPY operator operator
RUN uv sync --locked --no-dev --no-editable
RUN python rootfs.py prune operator .venv && python rootfs.py assemble operator .venv /rootfs

# Not from python:slim, which has some 120 MB by itself, and a shell.
FROM scratch AS operator
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="nemo-eval-operator" \
      org.opencontainers.image.description="Evaluates models on benchmarks as Kubernetes objects, with NVIDIA NeMo Evaluator" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /rootfs /
ENV PATH=/app/.venv/bin PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/home/nonroot
USER 65532:65532
EXPOSE 8080
# For docker run; in a cluster the kubelet asks over HTTP.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["nemo-eval-operator", "health"]
ENTRYPOINT ["nemo-eval-operator"]
CMD ["run"]
