"""`serinus simulate`: a crowd of honest visitors against the running system.

Enters: how many, how fast, how they behave. Leaves: a table of what they met; exit code 1 when a
visitor changed track, a request mixed two, or no visitor was given a track. Called by users and by
the acceptance run.
"""

from __future__ import annotations

import asyncio
import ssl
from importlib import resources
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from serinus.cli import place
from serinus.cli.options import STATE
from serinus.errors import SerinusError, UsageError
from serinus.visitors import reviews as labelled
from serinus.visitors.crowd import Crowd
from serinus.visitors.journey import Behaviour
from serinus.visitors.report import Report


def _default_data() -> list[Path]:
    """The judgment set: never trained on, so that the model is sometimes wrong."""
    checkout = Path(str(resources.files("serinus"))).parents[1]
    path = checkout / "data" / "frozen" / "elsewhere.tsv"
    if not path.is_file():
        raise UsageError(
            "no reviews to write", where="--data", remedy="Give --data FILE.tsv (Review, Liked)."
        )
    return [path]


def _gateway(text: str) -> tuple[str, tuple[str, int]]:
    """Scheme, empty where none is named, and host and port."""
    scheme, _, address = text.rpartition("://")
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or scheme not in ("", "http", "https"):
        raise UsageError(f"{text!r} is not HOST:PORT or https://HOST:PORT", where="--gateway")
    return scheme, (host, int(port))


def _tls(scheme: str, cacert: Path | None, *, insecure: bool) -> ssl.SSLContext | None:
    """Whose certificates to trust; None is plain HTTP, which an option on trust rules out."""
    trust = cacert is not None or insecure
    if cacert is not None and insecure:
        raise UsageError("--insecure trusts any certificate", where="--cacert", remedy="give one")
    if scheme == "http" and trust:
        raise UsageError("plain HTTP has no certificate", where="--gateway", remedy="say https://")
    if scheme != "https" and not trust:
        return None
    try:
        context = ssl.create_default_context(cafile=cacert)
    except OSError as error:
        raise UsageError(f"holds no certificate: {error}", where=f"--cacert {cacert}") from error
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


@click.command(epilog="Example: serinus simulate --visitors 500 --rate 50 --override-lift 0.2")
@click.option("--visitors", default=200, show_default=True, help="How many visitors come.")
@click.option("--rate", default=20.0, show_default=True, help="New visitors per second.")
@click.option("--reviews", default=3.0, show_default=True, help="Mean reviews of one visitor.")
@click.option(
    "--feedback",
    default=0.6,
    show_default=True,
    help="Probability to confirm a right prediction, and to correct a wrong one.",
)
@click.option(
    "--override-lift",
    default=0.0,
    show_default=True,
    help="Relative change of the canary visitors' readiness to correct: 0.2 is +20 %.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    help="Labelled reviews (Review<TAB>Liked); may be given several times.",
)
@click.option(
    "--gateway",
    metavar="[https://]HOST:PORT",
    help="What to connect to; by default the running system's, over HTTPS where its release is.",
)
@click.option("--host", help="Name to ask the gateway for; by default that of the running system.")
@click.option(
    "--cacert",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Certificates (PEM) to trust in place of the system's; HTTPS.",
)
@click.option("-k", "--insecure", is_flag=True, help="Trust any certificate; HTTPS.")
@click.option(
    "--one-address",
    is_flag=True,
    help="All visitors from one address; the gateway's rate limit will meet them.",
)
@click.option("--seed", type=int, help="Makes arrivals and choices repeatable.")
@STATE
@place.cluster
def simulate(
    visitors: int, rate: float, reviews: float, feedback: float, override_lift: float,
    data: tuple[Path, ...], gateway: str | None, host: str | None, cacert: Path | None,
    insecure: bool, one_address: bool, seed: int | None, state: Path | None,
    context: str | None, namespace: str | None,
) -> None:  # fmt: skip
    """Send simulated visitors through the gateway and report what they met.

    Each visitor connects from a loopback address of its own, keeps its cookies, writes labelled
    reviews, and confirms the prediction or corrects it.
    """
    if gateway is None or host is None:
        if target := place.chosen(state, context, namespace):
            from serinus.cli import release

            gateway, host = release.visited(target, gateway, host)
        else:
            found_gateway, found_host = _running(state)
            gateway, host = gateway or found_gateway, host or found_host
    scheme, address = _gateway(gateway)
    # Only the gateway of this machine sees the loopback addresses as they are.
    one_address = one_address or not address[0].startswith("127.")
    crowd = Crowd(
        visitors=visitors, rate=rate, reviews=labelled.load(data or _default_data()),
        gateway=address, host=host, seed=seed, own_addresses=not one_address,
        behaviour=Behaviour(reviews, feedback, override_lift),
        tls=_tls(scheme, cacert, insecure=insecure),
    )  # fmt: skip
    console = Console()
    report = asyncio.run(_walk(crowd, console))
    show(report, console)
    if not report.drawn:
        raise SerinusError(
            f"no visitor was given a track by {gateway}, asked for {host}",
            remedy="serinus status tells what runs; --gateway and --host say whom to visit",
        )
    if report.strayed or report.mixed:
        raise click.exceptions.Exit(1)


def _running(state: Path | None) -> tuple[str, str]:
    """Gateway and frontend host of the system that runs on this machine."""
    from serinus.local.session import running  # slow to import, seldom needed

    system = running(state)
    return system.gateway, system.frontend_host


async def _walk(crowd: Crowd, console: Console) -> Report:
    report = Report()
    columns = (
        TextColumn("visitors"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("visitors", total=crowd.visitors)
        async for journey in crowd.journeys():
            report.add(journey)
            progress.advance(bar)
    return report


def show(report: Report, console: Console) -> None:
    """Print the report as tables."""
    tracks = Table(title="Tracks", title_justify="left")
    for name in (
        "track",
        "visitors",
        "share",
        "95 % interval",
        "reviews",
        "confirmed",
        "overridden",
    ):
        tracks.add_column(name, justify="left" if name == "track" else "right")
    for row in report.shares():
        tracks.add_row(
            row.track, str(row.visitors), f"{row.share:.1%}", f"{row.low:.1%} to {row.high:.1%}",
            str(row.reviews), str(row.confirmed), str(row.overridden),
        )  # fmt: skip
    latency = Table(title="Latency", title_justify="left")
    for name in ("request", "count", "p50 ms", "p95 ms", "p99 ms"):
        latency.add_column(name, justify="left" if name == "request" else "right")
    for line in report.latencies():
        latency.add_row(
            line.kind, str(line.requests), f"{line.p50:.1f}", f"{line.p95:.1f}", f"{line.p99:.1f}"
        )
    console.print(tracks, latency, sep="\n")
    codes = ", ".join(f"{code or 'no answer'}: {n}" for code, n in sorted(report.statuses.items()))
    console.print(f"status codes      {codes}")
    console.print(f"kept their track  {report.sticky} of {report.drawn} visitors")
    if report.undrawn:
        console.print(f"without a track   {report.undrawn} of {report.visitors} visitors")
    console.print(f"mixed tracks      {report.mixed} requests")
    for trouble, count in report.troubles.most_common(5):
        console.print(f"[yellow]trouble[/]           {count} x {trouble}")
