"""`python -m testbed.faults`: the proxy by hand."""

import contextlib
import signal
import threading
from pathlib import Path
from typing import Annotated, Final

import typer

from testbed.faults.exchange import Exchange, Moment
from testbed.faults.proxy import FaultProxy
from testbed.faults.rules import BadRule, Rule, parse_rule
from testbed.faults.upstream import Upstream, proxied_kubeconfig

_REREAD_SECONDS: Final = 0.5

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def main(
    *,
    upstream: Annotated[str | None, typer.Option(help="URL of the server behind the proxy.")] = None,
    kubeconfig: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Stand before this kubeconfig's API server instead."),
    ] = None,
    write_kubeconfig: Annotated[
        Path | None, typer.Option(help="With --kubeconfig: write a copy here that goes by way of the proxy.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on loopback; 0 takes any free one.")] = 0,
    rule: Annotated[
        list[str] | None, typer.Option(help="A fault and whom it strikes, as below; may be repeated.")
    ] = None,
    rules: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="File of rules, one a line; read again when saved."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Makes chance repeatable.")] = None,
) -> None:
    """Stand between a client and a server, and lose, delay or spoil chosen exchanges.

    A rule is: METHOD PATH FAULT[=VALUE] [p=PROBABILITY] [times=N]. METHOD may be *, and * in PATH matches
    anything; the query is not part of it. The first rule that applies strikes:

    \b
      delay=SECONDS                 pass the request on later
      drop-before, drop-after       close the connection before or after the server acts
      reset-before, reset-after     the same by a TCP reset
      error-before=CODE             a gateway answers; the server sees nothing
      error-after=CODE              the server acts; a gateway answers
      busy=SECONDS                  429 with Retry-After; the server sees nothing
      garbage                       the server acts; the body is no JSON
      slow=SECONDS                  the server acts; the body trickles
      gateway-timeout=SECONDS       504 if the server takes longer; it acts when it can
      hold-after                    the server acts; the client gets no answer

    \b
    For example:
      python -m testbed.faults --upstream http://localhost:7331 --port 7332 \\
          --rule 'POST /v1/evaluation/jobs drop-after p=0.5' --rule 'GET * delay=2 p=0.1'
      nemo-eval-operator run --evaluator-url http://localhost:7332
    """
    if (upstream is None) == (kubeconfig is None):
        raise typer.BadParameter("give either --upstream or --kubeconfig")
    if write_kubeconfig is not None and kubeconfig is None:
        raise typer.BadParameter("--write-kubeconfig needs --kubeconfig")
    server = Upstream.of_kubeconfig(kubeconfig) if kubeconfig else Upstream(upstream or "")
    given = _parsed(rule or [])
    with FaultProxy(server, port=port, seed=seed) as proxy:
        proxy.observers.append(_print_fault)
        proxy.rules = [*given, *(_read(rules) if rules else [])]
        if kubeconfig and write_kubeconfig:
            proxied_kubeconfig(kubeconfig, proxy_url=proxy.url, target=write_kubeconfig)
        typer.echo(f"{proxy.url} stands before {server.url}")
        _until_interrupted(proxy, given, rules)


def _until_interrupted(proxy: FaultProxy, given: list[Rule], rules: Path | None) -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    with contextlib.suppress(KeyboardInterrupt):
        saved = rules.stat().st_mtime_ns if rules else 0
        while not stop.wait(_REREAD_SECONDS):
            if rules and (now := rules.stat().st_mtime_ns) != saved:
                saved = now
                try:
                    proxy.rules = [*given, *_read(rules)]
                except typer.BadParameter as error:
                    typer.echo(f"{error}; the former rules stay", err=True)
                else:
                    typer.echo(f"{len(proxy.rules)} rules")


def _read(rules: Path) -> list[Rule]:
    lines = (line.strip() for line in rules.read_text().splitlines())
    return _parsed([line for line in lines if line and not line.startswith("#")])


def _parsed(texts: list[str]) -> list[Rule]:
    try:
        return [parse_rule(text) for text in texts]
    except BadRule as error:
        raise typer.BadParameter(str(error)) from error


def _print_fault(exchange: Exchange, moment: Moment) -> bool:
    if moment is Moment.ARRIVED and exchange.rule is not None:
        typer.echo(f"{exchange.rule.fault.value}: {exchange.method} {exchange.path}")
    return False


if __name__ == "__main__":
    app()
