"""Jinja templates of configs, sandboxed, and the prompts that they render. Used in worker processes."""

from nemo_local_evaluator.templating.prompts import Generates, Prompt
from nemo_local_evaluator.templating.templates import Context, Template, TemplateEnvironment, context_for

__all__ = ["Context", "Generates", "Prompt", "Template", "TemplateEnvironment", "context_for"]
