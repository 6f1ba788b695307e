# The operator's image: runtime dependencies only, as locked in uv.lock, no shell needed, no root.
#   docker build -t nemo-eval-operator:0.1.0 .

FROM python:3.13-slim AS build
RUN pip install --no-cache-dir uv==0.13.9
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
WORKDIR /app
# Dependencies first: they change more rarely than the code.
COPY pyproject.toml uv.lock ./
RUN uv sync --locked --no-dev --no-install-project
COPY README.md LICENSE ./
COPY operator operator
RUN uv sync --locked --no-dev --no-editable

FROM python:3.13-slim
LABEL org.opencontainers.image.title="nemo-eval-operator" \
      org.opencontainers.image.description="Evaluates models on benchmarks as Kubernetes objects, with NVIDIA NeMo Evaluator" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /app/.venv /app/.venv
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["nemo-eval-operator"]
CMD ["run"]
