"""Fair shares of what the gateway keeps for its senders, by source and tenant: pure bookkeeping.

A pool has a capacity in bytes, of which an eighth is a reserve for newcomers. Those who are active share the rest:
tenants equally, the sources of a tenant by their weights. While there is room outside the reserve everybody takes
what comes, so a source alone may use all of it. Once that is full, only those may take more who have less than their
share; and whoever holds nothing may have one body while the capacity lasts. So it is the noisy source that waits.
"""

from __future__ import annotations

from typing import Final

RESERVE: Final = 8


class _Tenant:
    """The active sources of one tenant."""

    __slots__ = ("active", "weight")

    def __init__(self) -> None:
        self.active = 0
        self.weight = 0


class Member:
    """A source in a pool: `used` bytes. It is active while anything of it is there or waits to be."""

    __slots__ = ("busy", "tenant", "used", "weight")

    def __init__(self, tenant: _Tenant, weight: int) -> None:
        self.tenant = tenant
        self.weight = weight
        self.used = 0
        self.busy = 0


class Pool:
    """Bytes that are given out to members and come back."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.used = 0
        self._open = capacity - capacity // RESERVE
        self._members: dict[tuple[str, str], Member] = {}
        self._tenants: dict[str, _Tenant] = {}
        self._active_tenants = 0

    def member(self, source: str, tenant: str = "", weight: int = 1) -> Member:
        """The member of this source and tenant, always the same one; a new weight counts at once."""
        member = self._members.get((source, tenant))
        if member is None:
            member = Member(self._tenants.setdefault(tenant, _Tenant()), weight)
            self._members[source, tenant] = member
        elif member.weight != weight:
            if member.busy:
                member.tenant.weight += weight - member.weight
            member.weight = weight
        return member

    def take(self, member: Member, size: int) -> bool:
        """Give the member so many bytes, if it may have them."""
        after = self.used + size
        if after > self._open and not self._entitled(member, size, after):
            return False
        if member.busy:
            member.busy += 1
        else:
            self.enter(member)
        member.used += size
        self.used = after
        return True

    def extend(self, member: Member, size: int) -> bool:
        """Add so many bytes to what a `take` gave, if the member may have them."""
        after = self.used + size
        if after > self._open and not self._entitled(member, size, after):
            return False
        member.used += size
        self.used = after
        return True

    def give(self, member: Member, size: int) -> None:
        """What one `take` gave, with what was added, is free again."""
        member.used -= size
        self.used -= size
        if member.busy > 1:
            member.busy -= 1
        else:
            self.leave(member)

    def enter(self, member: Member) -> None:
        """Something of this member is there, or waits: it counts as active. Ends with `leave`."""
        member.busy += 1
        if member.busy == 1:
            tenant = member.tenant
            tenant.weight += member.weight
            tenant.active += 1
            if tenant.active == 1:
                self._active_tenants += 1

    def leave(self, member: Member) -> None:
        """The end of what `enter` began."""
        member.busy -= 1
        if not member.busy:
            tenant = member.tenant
            tenant.weight -= member.weight
            tenant.active -= 1
            if not tenant.active:
                self._active_tenants -= 1

    def share(self, member: Member) -> int:
        """Bytes that this member is entitled to beside those who are active now."""
        tenant = member.tenant
        tenants = self._active_tenants + (not tenant.active)
        weight = tenant.weight + (0 if member.busy else member.weight)
        return self._open * member.weight // (tenants * weight)

    def contended(self, member: Member) -> bool:
        """Whether others than this member are active, so that it is their share which it may not take."""
        tenant = member.tenant
        others = tenant.active - bool(member.busy)
        return others > 0 or self._active_tenants > bool(tenant.active)

    def _entitled(self, member: Member, size: int, after: int) -> bool:
        return after <= self.capacity and (not member.used or member.used + size <= self.share(member))
