"""The page of all settings, from the settings model."""

from collections.abc import Iterator
from typing import Final

from annotated_types import Ge, Gt, Le, MaxLen
from pydantic import HttpUrl
from pydantic.fields import FieldInfo

from nemo_eval_operator.settings import Settings
from testbed.reference.markdown import GENERATED, cell, table

__all__ = ["settings_page", "variable"]

_HEAD: Final = """\
# Settings

The environment variables of `nemo-eval-operator run`. An [option](cli.md#run) replaces its variable. The
chart sets the variables from [its values](../how-to/install.md#values). [Security](../security.md) explains
which settings keep tenants apart.

"""


def settings_page() -> str:
    """Return the page."""
    rows = [
        (f"`{variable(name)}`", _default(field), f"{cell(field.description or '')}{_limits(field)}")
        for name, field in Settings.model_fields.items()
    ]
    return f"{GENERATED}\n{_HEAD}{table(('variable', 'default', 'meaning'), rows)}"


def variable(field: str) -> str:
    """Return the environment variable of a setting."""
    return "NVIDIA_EVALUATOR_URL" if field == "evaluator_url" else f"NEMO_{field.upper()}"


def _default(field: FieldInfo) -> str:
    match field.default:
        case bool() as value:
            return f"`{str(value).lower()}`"
        case str() | int() | float() | HttpUrl() as value if value != "":
            return f"`{str(value).removesuffix('/')}`"
        case _:
            return ""


def _limits(field: FieldInfo) -> str:
    limits = list(_constraints(field))
    return f" [{'; '.join(limits)}]" if limits else ""


def _constraints(field: FieldInfo) -> Iterator[str]:
    for constraint in field.metadata:
        match constraint:
            case Ge(ge=bound):
                yield f"at least {bound}"
            case Gt(gt=bound):
                yield f"more than {bound}"
            case Le(le=bound):
                yield f"at most {bound}"
            case MaxLen(max_length=bound):
                yield f"at most {bound} characters"
            case _:
                pass
