"""`stormfold shard`: the way out of a shard that is lost, or whose topics were made anew."""

from __future__ import annotations

import asyncio
import re
import sys
from typing import Annotated

import typer
from aiokafka.errors import KafkaError
from redis.exceptions import RedisError

from kernel.model.naming import shard_tag
from kernel.store.client import StoreUnavailable
from kernel.telemetry.log import mask_text
from stormfold.cli.errors import UserError
from stormfold.cli.found import found_settings
from stormfold.quiet import quiet_clients
from stormfold.reset import From, Plan, Resetter, Role, resetter

TAKEN_WITHIN = 5.0

app = typer.Typer(name="shard", help="The way out of a lost shard.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The way out of a lost shard."""


@app.command()
def reset(
    shard: Annotated[str, typer.Argument(metavar="sNN", help="The shard, as the role's health and log name it.")],
    role: Annotated[Role, typer.Option("--role", help="Whose state of the shard is given up.")],
    begin: Annotated[From, typer.Option("--from", help="Where the role reads on.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Give up what a role knows of a shard, so that it works again.

    Prints what is lost and what follows, and asks. The roles may go on running: whoever holds the shard is refused
    from then on and claims it anew. Uses STORMFOLD_KAFKA and STORMFOLD_REDIS, else an embedded run of this user.
    """
    number = _number(shard)
    try:
        with quiet_clients():
            asyncio.run(_reset(number, role, begin, yes))
    except (StoreUnavailable, RedisError) as error:
        said = mask_text(str(error))
        raise UserError(f"Redis does not answer as it should ({said}); check STORMFOLD_REDIS, look again") from error
    except KafkaError as error:
        raise UserError(f"Kafka does not answer as it should ({error!r}); nothing was changed") from error


async def _reset(shard: int, role: Role, begin: From, yes: bool) -> None:
    async with resetter(found_settings(), role) as resetting:
        plan = await resetting.plan(shard, begin)
        for line in describe(plan):
            typer.echo(line)
        if not yes:
            _ask(plan)
        await _apply(resetting, plan)


async def _apply(resetting: Resetter, plan: Plan) -> None:
    epoch, owner = await resetting.apply(plan)
    typer.echo(f"{shard_tag(plan.shard)} is reset, epoch {epoch}; the {plan.role} reads on from {plan.start}")
    if await resetting.taken(plan.shard, owner, TAKEN_WITHIN):
        typer.echo(f"a running {plan.role} has taken it over")
    else:
        typer.echo(f"no {plan.role} has taken it over within {TAKEN_WITHIN:.0f} s; the next one that runs will")


def _number(text: str) -> int:
    found = re.fullmatch(r"s([0-9]{1,4})", text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is not a shard; write it as the log does, for example s07")
    return int(found[1])


def _ask(plan: Plan) -> None:
    if not sys.stdin.isatty():
        raise UserError("nothing was changed: there is no terminal to ask at; add --yes if this is what you want")
    if not typer.confirm(f"Reset {shard_tag(plan.shard)} of the {plan.role}?"):
        raise UserError("nothing was changed")


def describe(plan: Plan) -> list[str]:
    """What is there, what is lost, what follows; a line each."""
    lines = [f"shard {shard_tag(plan.shard)}, state of the {plan.role}", f"  state: {_state(plan)}"]
    lines += [f"  lost:  {text}" for text in _lost(plan)]
    lines.append(f"  input: {plan.input} holds {plan.first} to {plan.end}; {_reading(plan)}")
    consequences = _of_correlator(plan) if plan.role is Role.CORRELATOR else _of_notifier(plan)
    return [*lines, *(f"  then:  {text}" for text in consequences)]


def _state(plan: Plan) -> str:
    if plan.held.empty:
        return "nothing is in the store: the shard is lost, or was never claimed"
    if not plan.held.there:
        return "its chain is not in the store, so what is left belongs to nobody: the shard is lost"
    if plan.topic_changed:
        return f"its positions belong to topic ids {plan.held.topic}, but the topics have {plan.topic}"
    return "it is in the store and its topics are the same: nothing is wrong with it from here"


def _lost(plan: Plan) -> list[str]:
    held = plan.held
    found = [f"{held.unreadable} entries that this version cannot read"] if held.unreadable else []
    if plan.role is Role.CORRELATOR:
        found.append(
            f"{held.incidents} incidents ({held.live} open or acknowledged), {held.members} members ({held.firing} "
            f"firing), {held.waiting} waiting counts and commands, the totals of what was not attributed"
        )
        what = "facts that were decided and not published"
    else:
        found.append(
            f"ledgers of {held.incidents} incidents with {held.deliveries} deliveries, {held.under_way} of them under "
            f"way and {held.unsent} still to be sent"
        )
        what = "deliveries that were decided and not announced"
    if held.outbox:
        found.append(f"{held.outbox} {what}")
    return found


def _reading(plan: Plan) -> str:
    if plan.skipped is None or plan.again is None:
        return f"read on from {plan.start}; how far the {plan.role} had come is not known"
    return f"read on from {plan.start}: {plan.skipped} records are skipped, {plan.again} are read again"


def _of_correlator(plan: Plan) -> list[str]:
    withdrawn = (
        "every incident published before that does not come back from what is read is withdrawn: "
        "what was paged for it is resolved at its receivers"
    )
    if plan.begin is From.BEGINNING:
        return [
            withdrawn,
            "what signals holds is decided again under the same ids; what deliveries knows as sent is not sent again",
            "an incident whose first signals the topic no longer holds comes back under a new id and pages again",
            "commands in signals are applied again, in order",
        ]
    lines = [
        withdrawn,
        "what still fires opens new incidents and pages again, once its source repeats it after the lease (2 min)",
        "an alert whose source sends changes only stays unknown until its next change",
        "acknowledgements given so far are forgotten",
    ]
    if plan.begin is From.END and plan.skipped != 0:
        lines.append("alerts, resolves and commands in the skipped records have no effect")
    return lines


def _of_notifier(plan: Plan) -> list[str]:
    known = (
        "deliveries is read from its oldest row: what it knows as sent is not sent again; "
        "what it no longer holds may be paged again"
    )
    if plan.begin is From.BEGINNING:
        return [known, "what was decided and never announced is decided again and sent late"]
    never = (
        "what was decided and never announced is not sent: an incident it was about pages when its next fact comes, "
        "if it is still open"
    )
    lines = [known, never]
    if plan.begin is From.END and plan.skipped != 0:
        lines.append("the same goes for incidents that were opened, raised or resolved in the skipped records")
    return lines
