"""Jinja templates of configs, sandboxed, and the prompts that they render. Used in worker processes."""

from .prompts import Generates, Prompt
from .templates import Context, Template, TemplateEnvironment, context_for

__all__ = ["Context", "Generates", "Prompt", "Template", "TemplateEnvironment", "context_for"]
