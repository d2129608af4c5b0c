"""What every store must do for the protocols: the same tests over Valkey and over Debian's Redis."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest

from kernel.store import scripts
from kernel.store.client import RedisStore, StoreUnavailable
from kernel.store.keys import PERMANENT, Keys
from kernel.store.scripts import Change, Lost, TopicChanged, Verdict


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[RedisStore]:
    made = RedisStore(store_url)
    yield made
    await made.close()


@pytest.fixture
def keys() -> Keys:
    return Keys(f"t{uuid.uuid4().hex[:8]}")


def chain_keys(keys: Keys) -> list[str]:
    return [keys.correlator(3, part) for part in ("chain", "outbox", "members", "facts", "timers")]


async def claimed(store: RedisStore, keys: Keys, owner: str = "me") -> int:
    fields = await scripts.claim(store, chain_keys(keys)[0], 1_000, owner, "topic-1", {"pos": "-1", "echo": "0"})
    return int(fields["epoch"])


async def test_the_server_is_new_enough(store: RedisStore) -> None:
    assert (await store.check()).split()[0] in ("redis", "valkey")


async def test_a_turn_applies_once_and_a_resend_says_so(store: RedisStore, keys: Keys) -> None:
    epoch = await claimed(store, keys)
    change = Change(chain={"pos": "7"}, out=["i", "payload-1", "i", "payload-2"])
    change.put(3, ["a", "1", "b", "2"], [])
    change.schedule(5, ["100", "timer"], [])
    verdict, ids = await scripts.turn(store, chain_keys(keys), epoch, "me", 1, change)
    assert (verdict, len(ids)) == (Verdict.OK, 2)
    assert await scripts.turn(store, chain_keys(keys), epoch, "me", 1, change) == (Verdict.ALREADY, [])
    assert len(await store.stream(keys.correlator(3, "outbox"), 10)) == 2
    assert await store.hgetall(keys.correlator(3, "members")) == {b"a": b"1", b"b": b"2"}
    assert await store.zrange_scores(keys.correlator(3, "timers")) == [(b"timer", 100.0)]
    gone = Change()
    gone.put(3, [], ["a"])
    gone.schedule(5, [], ["timer"])
    assert (await scripts.turn(store, chain_keys(keys), epoch, "me", 2, gone))[0] is Verdict.OK
    assert await store.hgetall(keys.correlator(3, "members")) == {b"b": b"2"}
    assert await store.zrange_scores(keys.correlator(3, "timers")) == []


@pytest.mark.parametrize(("owner", "number", "older"), [("me", 3, 0), ("me", 0, 0), ("other", 1, 0), ("me", 1, 1)])
async def test_any_other_turn_is_refused(store: RedisStore, keys: Keys, owner: str, number: int, older: int) -> None:
    epoch = await claimed(store, keys) - older
    refused = await scripts.turn(store, chain_keys(keys), epoch, owner, number, Change(chain={"pos": "9"}))
    assert refused[0] is (Verdict.ALREADY if (owner, number, older) == ("me", 0, 0) else Verdict.REFUSED)
    assert await store.hget(keys.correlator(3, "chain"), "pos") == b"-1"


async def test_a_turn_without_its_key_is_refused(store: RedisStore, keys: Keys) -> None:
    epoch = await claimed(store, keys)
    await store.delete(chain_keys(keys))
    assert (await scripts.turn(store, chain_keys(keys), epoch, "me", 1, Change()))[0] is Verdict.REFUSED
    assert not await store.exists(keys.correlator(3, "chain"))


async def test_a_change_larger_than_luas_stack(store: RedisStore, keys: Keys) -> None:
    epoch = await claimed(store, keys)
    change = Change()
    change.put(3, [text for n in range(20_000) for text in (f"f{n}", "ü" * 10)], [])
    assert (await scripts.turn(store, chain_keys(keys), epoch, "me", 1, change))[0] is Verdict.OK
    assert len(await store.hgetall(keys.correlator(3, "members"))) == 20_000


async def test_a_claim_ends_older_ones_and_outbids_clocks(store: RedisStore, keys: Keys) -> None:
    first = await claimed(store, keys)
    fields = await scripts.claim(store, chain_keys(keys)[0], 5, "next", "topic-1", None)
    assert int(fields["epoch"]) == first + 1
    assert (fields["turn"], fields["pos"]) == ("0", "-1")
    assert (await scripts.turn(store, chain_keys(keys), first, "me", 1, Change()))[0] is Verdict.REFUSED
    assert not await scripts.trim(store, chain_keys(keys)[0], chain_keys(keys)[1], first, "me", ["0-1"])


async def test_a_claim_of_nothing_is_lost_and_another_topic_is_said(store: RedisStore, keys: Keys) -> None:
    with pytest.raises(Lost):
        await scripts.claim(store, chain_keys(keys)[0], 5, "me", "topic-1", None)
    assert not await store.exists(chain_keys(keys)[0])
    epoch = await claimed(store, keys)
    with pytest.raises(TopicChanged, match=r"topic-1.*topic-2"):
        await scripts.claim(store, chain_keys(keys)[0], 5, "you", "topic-2", None)
    assert (await scripts.turn(store, chain_keys(keys), epoch, "me", 1, Change()))[0] is Verdict.OK


async def test_trimming_takes_the_named_entries_only(store: RedisStore, keys: Keys) -> None:
    epoch = await claimed(store, keys)
    _, ids = await scripts.turn(
        store, chain_keys(keys), epoch, "me", 1, Change(out=["i", "one", "i", "two", "i", "three"])
    )
    assert await scripts.trim(store, chain_keys(keys)[0], chain_keys(keys)[1], epoch, "me", ids[:2])
    left = await store.stream(keys.correlator(3, "outbox"), 10)
    assert [fields[b"p"] for _, fields in left] == [b"three"]


async def test_cuts_compare_and_set(store: RedisStore, keys: Keys) -> None:
    key = keys.cut("a" * 32, 2)
    assert await scripts.cut(store, key, 0, 5) is None
    assert await scripts.done(store, key, 0, 5) is None
    assert await store.hsetnx(key, "done", "0")
    assert not await store.hsetnx(key, "done", "4")
    assert await scripts.cut(store, key, 0, 5) == (0, 5)
    assert await scripts.cut(store, key, 0, 9) == (0, 5), "another intent stands"
    assert await scripts.cut(store, key, 3, 9) == (0, 5), "done is elsewhere"
    assert await scripts.done(store, key, 3, 9) == 0
    assert await scripts.done(store, key, 0, 5) == 5
    assert await scripts.done(store, key, 0, 5) == 5
    assert await scripts.cut(store, key, 5, 9) == (5, 9)


async def test_windows_have_a_life_of_their_own(store: RedisStore, keys: Keys) -> None:
    key = keys.window(3, 7)
    await store.hset_all([(key, {"f": b"\x00\xff"}, 60_000)])
    assert await store.hmget_all([(key, ["f", "g"]), (keys.window(3, 8), ["f"])]) == [[b"\x00\xff", None], [None]]
    assert not PERMANENT.match(key)


async def test_strings_end_by_themselves(store: RedisStore, keys: Keys) -> None:
    key = keys.seen("pager", "0" * 32)
    assert await store.get(key) is None
    await store.put(key, b"", 60_000)
    assert await store.get(key) == b""
    assert 0 < await store._redis.pttl(key) <= 60_000
    assert not PERMANENT.match(key)


async def test_a_script_is_loaded_again_after_it_was_forgotten(store: RedisStore, keys: Keys) -> None:
    epoch = await claimed(store, keys)
    await store._redis.script_flush()
    assert (await scripts.turn(store, chain_keys(keys), epoch, "me", 1, Change()))[0] is Verdict.OK


async def test_no_server_is_said_not_retried() -> None:
    store = RedisStore("redis://127.0.0.1:1/0")
    with pytest.raises(StoreUnavailable):
        await store.hgetall("x")
    await store.close()


def test_every_permanent_key_is_in_the_catalogue() -> None:
    keys = Keys("ns")
    made = [keys.progress, keys.cut("0" * 32, 1)]
    made += [keys.correlator(7, p) for p in ("chain", "outbox", "members", "facts", "incidents", "waiting", "timers")]
    made += [keys.notifier(7, p) for p in ("chain", "outbox", "incidents", "due")]
    assert all(PERMANENT.match(key) for key in made)
    assert not PERMANENT.match("ns:{s07}:c:other")
