"""Layout of help: commands in groups, arguments by their names alone, and examples that are not wrapped.

Typer's plain help is the base: its other one needs rich, which is slow to load.
"""

from __future__ import annotations

from typing import Any, Final

from typer.core import TyperCommand, TyperGroup
from typing_extensions import override

__all__ = ["PluginCommand", "PluginGroup"]

MARGIN: Final = 6
"""Columns of a line that are neither the name of a command nor its summary, as Typer counts them."""


class PluginCommand(TyperCommand):
    """A command; `epilog` holds its examples, one a line."""

    @override
    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the words of the usage line: OPTIONS, then arguments as kubectl writes them."""
        arguments = [one for one in self.get_params(ctx) if one.param_type_name == "argument"]
        names = [name if one.required else f"[{name}]" for one in arguments for name in [_name(one)]]
        return ["[OPTIONS]", *names]

    @override
    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments and options."""
        rows: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for one in self.get_params(ctx):
            record = one.get_help_record(ctx)
            if record is None:
                continue
            if one.param_type_name == "argument":
                rows["Arguments"].append((_name(one), record[1]))
            else:
                rows["Options"].append(record)
        for heading, listed in rows.items():
            if listed:
                with formatter.section(heading):
                    formatter.write_dl(listed)

    @override
    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples as they are."""
        if not self.epilog:
            return
        with formatter.section("Examples"):
            for line in self.epilog.splitlines():
                formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


class PluginGroup(TyperGroup):
    """The commands, in groups by their `rich_help_panel`."""

    @override
    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands with their summaries."""
        width = max(map(len, self.commands))
        groups: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)
            summary = command.get_short_help_str(formatter.width - MARGIN - width)
            groups.setdefault(command.rich_help_panel, []).append((name.ljust(width), summary))
        for heading, rows in groups.items():
            with formatter.section(heading):
                formatter.write_dl(rows)


def _name(argument: Any) -> str:
    name = str(argument.metavar or argument.name)
    return name if argument.nargs == 1 else f"{name}..."
