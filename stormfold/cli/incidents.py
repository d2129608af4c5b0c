"""`stormfold incidents`, `incident`, `ack`, `note`, `resolve`: the gateway's incident API for people at a terminal."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from kernel.model.incident import IncidentStatus, Priority
from stormfold.cli.changes import changes_table
from stormfold.cli.errors import UserError
from stormfold.cli.gateway import Gateway
from stormfold.cli.screen import cell, clean, console

_MEMBERS: Final = 20

_Id = Annotated[str, typer.Argument(metavar="ID", help="The incident's id, as the list shows it.", show_default=False)]
_Json = Annotated[bool, typer.Option("--json", help="Print the API's answer as one JSON object.")]
_By = Annotated[str, typer.Option("--by", help="Who answers; it stands in the timeline.")]
_Note = Annotated[str, typer.Option("--note", help="A note for the timeline.")]


def incidents(
    status: Annotated[list[IncidentStatus] | None, typer.Option("--status", help="May be given again.")] = None,
    priority: Annotated[list[Priority] | None, typer.Option("--priority", help="May be given again.")] = None,
    team: Annotated[str | None, typer.Option("--team", help="Only this team's.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000, help="At most so many.")] = 100,
    as_json: _Json = False,
) -> None:
    """List incidents: live ones first, then by priority. Exit 1 where some shards cannot tell theirs."""
    query = [("status", one.value) for one in status or ()] + [("priority", one.value) for one in priority or ()]
    query += [("team", team)] if team is not None else []
    gateway = Gateway.find()
    code, said = gateway.ask("GET", "/incidents", [*query, ("limit", str(limit))])
    partial = code == 503 and "incidents" in said
    if not partial:
        gateway.refuse(code, said)
    if as_json:
        typer.echo(json.dumps(said, ensure_ascii=False))
    elif said["incidents"]:
        console().print(_list(said["incidents"]))
    elif not partial:
        typer.echo("no incidents" + (" of that kind" if query else ""))
    if partial:
        raise UserError(clean(str(said["error"])))


def incident(incident_id: _Id, as_json: _Json = False) -> None:
    """Show one incident: what is open and why, its members, and who was told."""
    gateway = Gateway.find()
    code, said = gateway.ask("GET", f"/incidents/{_checked(incident_id)}")
    gateway.refuse(code, said)
    if as_json:
        typer.echo(json.dumps(said, ensure_ascii=False))
    else:
        _show(console(), said)


def ack(incident_id: _Id, by: _By = "operator", note: _Note = "", as_json: _Json = False) -> None:
    """Acknowledge an incident: somebody works on it."""
    said = _answer(incident_id, "ack", by, note)
    if as_json:
        typer.echo(json.dumps(said, ensure_ascii=False))
    elif said.get("queued"):
        typer.echo(_queued(incident_id, said))
    elif said["status"] == IncidentStatus.ACKNOWLEDGED:
        typer.echo(f"{incident_id} is acknowledged")
    else:
        typer.echo(f"{incident_id} is {said['status']} already; the acknowledgement changed nothing")


def resolve(incident_id: _Id, by: _By = "operator", note: _Note = "", as_json: _Json = False) -> None:
    """Resolve an incident: its episode ends, whatever still fires."""
    said = _answer(incident_id, "resolve", by, note)
    if as_json:
        typer.echo(json.dumps(said, ensure_ascii=False))
    elif said.get("queued"):
        typer.echo(_queued(incident_id, said))
    else:
        typer.echo(f"{incident_id} is {said['status']}; {_firing(said['firing'])}")


def note(
    incident_id: _Id,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What is to be remembered.", show_default=False)],
    by: _By = "operator",
    as_json: _Json = False,
) -> None:
    """Write a note into an incident's timeline; it pages nobody."""
    said = _answer(incident_id, "note", by, text)
    if as_json:
        typer.echo(json.dumps(said, ensure_ascii=False))
    elif said.get("queued"):
        typer.echo(_queued(incident_id, said))
    else:
        typer.echo(f"noted in the timeline of {incident_id}")


def _firing(n: int) -> str:
    if n == 0:
        return "none of its members fires"
    if n == 1:
        return "1 of its members still fires: it pages nobody again until it was seen resolved or becomes more severe"
    return f"{n} of its members still fire: they page nobody again until they were seen resolved or become more severe"


def _queued(name: str, said: dict[str, Any]) -> str:
    return (
        f"queued: Kafka has the command {said['command']} for {name}, its effect was not seen within 5 s; "
        f"look again with `stormfold incident {name}`"
    )


def _answer(name: str, verb: str, by: str, note: str) -> dict[str, Any]:
    gateway = Gateway.find()
    code, said = gateway.ask("POST", f"/incidents/{_checked(name)}/{verb}", body={"by": by, "note": note})
    gateway.refuse(code, said)
    return said


def _checked(name: str) -> str:
    if re.fullmatch(r"s[0-9]{2,4}-[a-z2-7]{16}", name) is None:
        raise UserError(
            f"there is no incident {clean(name)[:64]!r}: an id is like s03-abcdefghijklmnop; `stormfold incidents` "
            "names them"
        )
    return name


# --- for people


def _list(rows: list[dict[str, Any]]) -> Table:
    table = Table()
    for name in ("id", "priority", "status"):
        table.add_column(name, no_wrap=True)
    for name in ("title", "team", "cause"):
        table.add_column(name, overflow="fold")
    for name in ("firing", "alerts"):
        table.add_column(name, justify="right")
    table.add_column("changed", no_wrap=True)
    for row in rows:
        cause = ", ".join(f"{name}={value}" for name, value in row["group"].items())
        table.add_row(
            cell(row["id"]),
            cell(row["priority"]),
            cell(row["status"]),
            cell(row["title"]),
            cell(row["team"]),
            f"{cell(row['rule'])}: {cell(cause)}",
            f"{row['firing']}/{row['members']}",
            str(row["alerts"]),
            cell(row["changed_at"]),
        )
    return table


def _show(out: Console, said: dict[str, Any]) -> None:
    score = said["score"]
    out.print(f"[bold]{cell(said['id'])}[/]  {cell(said['priority'])} {cell(said['status'])}  {cell(said['title'])}")
    facts = Table(show_header=False, box=None, pad_edge=False)
    facts.add_column(no_wrap=True, style="bold")
    facts.add_column(overflow="fold")
    reasons = {name: "; ".join(score[f"{name}_reasons"]) for name in ("impact", "urgency")}
    for name, value in (
        ("priority", f"{score['priority']}, the highest of this episode {score['reached']}"),
        ("impact", f"{score['impact']}: {reasons['impact']}"),
        ("urgency", f"{score['urgency']}: {reasons['urgency']}"),
        ("rule", said["rule"]),
        ("group", ", ".join(f"{name}={value}" for name, value in said["group"].items()) or "all alerts of the rule"),
        ("window", said["window"]),
        ("team", f"{said['assigned']['name'] or 'none'}: {said['assigned']['why'] or 'no route'}"),
        ("members", f"{said['members']}, of which {said['firing']} fire ({said['handled']} handled)"),
        ("alerts", str(said["alerts"])),
        ("opened", said["opened_at"]),
        ("resolved", said["resolved_at"]),
        ("answered", said["answered_by"]),
        ("after", said["predecessor"]),
    ):
        if value:
            facts.add_row(name, cell(value))
    for name, value in said["explanation"].items():
        facts.add_row(f"why {cell(name)}" if name != "why" else "why", cell(value))
    out.print(facts)
    what_changed = changes_table(said["changes"], "what changed in the two hours before", why=True)
    for table in (_members(said), what_changed, _deliveries(said), _timeline(said)):
        if table.row_count:
            out.print(table)


def _members(said: dict[str, Any]) -> Table:
    rows = said["member_alerts"]
    title = "members" if len(rows) <= _MEMBERS else f"members, {_MEMBERS} of {said['members']}"
    table = Table("alert", "state", "severity", "service", "count", "last", title=title, title_justify="left")
    for row in rows[:_MEMBERS]:
        state = f"{row['state']}, handled" if row["handled"] else row["state"]
        texts = (row["name"], state, row["severity"], row["service"], str(row["count"]), row["last"])
        table.add_row(*(cell(text) for text in texts))
    return table


def _deliveries(said: dict[str, Any]) -> Table:
    columns = ("action", "target", "priority", "attempt", "outcome", "at", "reason")
    table = Table(*columns, title="deliveries", title_justify="left")
    for row in said["deliveries"]:
        outcome = row["outcome"] or "waiting"
        texts = (row["action"], row["target"], row["priority"], str(row["attempt"]), outcome, row["at"], row["reason"])
        table.add_row(*(cell(text) for text in texts))
    return table


def _timeline(said: dict[str, Any]) -> Table:
    table = Table("at", "what", "why", title="timeline", title_justify="left")
    for row in said["timeline"]:
        table.add_row(cell(row["at"]), cell(row["what"]), cell(row["why"]))
    return table
