"""Stormfold's own command envelope, `{"command": {id, verb, incident, by, note?}}`, as the gateway writes it.

Nobody else may write one; ingest takes commands from `answers.raw` only, whatever the headers of a record say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import msgspec

from ingest.adapters.base import About, Adapter, Message, NotUnderstood, Outcome, Parsed, Reason
from ingest.adapters.making import finish
from ingest.adapters.reading import SUMMARY_BYTES, clean_text, decode_as
from kernel.model.signals import CommandEnvelope

_envelope: Final = msgspec.json.Decoder(CommandEnvelope)
_MAX_ID: Final = 200


class Commands(Adapter):
    """A command is told by its request's id. Source: stormfold's gateway."""

    name: ClassVar[str] = "commands"
    title: ClassVar[str] = "stormfold's own commands"
    shape: ClassVar[tuple[str, ...]] = ("command",)

    about: ClassVar[About] = About(
        identity="`id` of the request",
        firing="nothing: `acknowledge`, `unacknowledge`, `resolve`, `note` of people",
        resolved="nothing",
        observed="arrival",
        severity="none",
        proof="accepted from the topic of answers only, which the gateway alone may write",
        connect="Written by the gateway for `stormfold ack`, `note` and `resolve` and the HTTP API; nobody else may.",
    )

    def recognises(self, body: Any, headers: Mapping[str, str]) -> bool:
        """An object with a `command` that is an object."""
        del headers
        return isinstance(body, dict) and isinstance(body.get("command"), dict)

    def parse(self, message: Message) -> Parsed:
        command = decode_as(_envelope, message.body, "the command").command
        if bool(command.incident) == bool(command.alert):
            raise NotUnderstood(Reason.MISSING_FIELD, "command must name an incident or an alert, and not both")
        for field in ("id", "alert" if command.alert else "incident", "by"):
            value = getattr(command, field)
            if not value.strip() or len(value) > _MAX_ID:
                raise NotUnderstood(Reason.MISSING_FIELD, f"command.{field} must have 1 to {_MAX_ID} characters")
        parsed = Parsed(Outcome.COMMANDS)
        by, note = (
            clean_text(command.by, _MAX_ID * 4, parsed),
            clean_text(command.note, SUMMARY_BYTES, parsed, lines=True),
        )
        parsed.commands.append(msgspec.structs.replace(command, by=by, note=note))
        return finish(parsed, f"{command.verb} of {clean_text(command.incident or command.alert, 80, parsed)}")
