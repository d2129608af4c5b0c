"""The in-process broker: librdkafka's mock cluster, inside the confluent-kafka wheel, driven through its C API.

It speaks the real protocol on 127.0.0.1. Python's own binding cannot set partition counts or the delay of a group's
first join, the C API can. That API is called experimental upstream: the version of confluent-kafka is pinned exactly.
It keeps about 5 MiB a partition, has no compaction and no record timestamps of its own, and may abort its process,
which is why it runs in a host process (:mod:`stormfold.embedded.host`) and never beside the roles.
"""

import ctypes as c
import importlib
import logging
import socket
import threading
from collections.abc import Callable, Sequence

logger = logging.getLogger(__name__)

FALLBACK_PARTITIONS = 4
FALLBACK_NOTICE = (
    "This confluent-kafka does not export librdkafka's mock cluster: every topic has 4 partitions and a consumer's "
    "first join takes 3 s. Install the version that stormfold[embedded] names"
)
_PRODUCER = 0
_DEADLINE_S = 10.0
_POKE_S = 0.005
_LOG_ERRORS_ONLY = b"3"


class BrokerError(RuntimeError):
    """The broker could not be started or refused a command."""


class _Library:
    """The functions used of librdkafka, each with its C types: undeclared, 64-bit pointers would be cut in half.

    Raises AttributeError for a symbol that the library does not export.
    """

    def __init__(self, path: str) -> None:
        lib = c.CDLL(path)
        pointer, text, integer = c.c_void_p, c.c_char_p, c.c_int

        self.conf_new = lib.rd_kafka_conf_new
        self.conf_new.restype, self.conf_new.argtypes = pointer, []
        self.conf_set = lib.rd_kafka_conf_set
        self.conf_set.restype, self.conf_set.argtypes = integer, [pointer, text, text, text, c.c_size_t]
        self.new = lib.rd_kafka_new
        self.new.restype, self.new.argtypes = pointer, [integer, pointer, text, c.c_size_t]
        self.error_text = lib.rd_kafka_err2str
        self.error_text.restype, self.error_text.argtypes = text, [integer]
        self.cluster_new = lib.rd_kafka_mock_cluster_new
        self.cluster_new.restype, self.cluster_new.argtypes = pointer, [pointer, integer]
        self.bootstraps = lib.rd_kafka_mock_cluster_bootstraps
        self.bootstraps.restype, self.bootstraps.argtypes = text, [pointer]
        self.join_delay = lib.rd_kafka_mock_group_initial_rebalance_delay_ms
        self.join_delay.restype, self.join_delay.argtypes = None, [pointer, c.c_int32]
        self.topic_create = lib.rd_kafka_mock_topic_create
        self.topic_create.restype, self.topic_create.argtypes = integer, [pointer, text, integer, integer]
        self.topic_delete = lib.rd_kafka_mock_topic_delete
        self.topic_delete.restype, self.topic_delete.argtypes = integer, [pointer, text]
        self.push_errors = lib.rd_kafka_mock_push_request_errors_array
        self.push_errors.restype = None
        self.push_errors.argtypes = [pointer, c.c_int16, c.c_size_t, c.POINTER(integer)]
        self.set_down = lib.rd_kafka_mock_broker_set_down
        self.set_down.restype, self.set_down.argtypes = integer, [pointer, c.c_int32]
        self.set_up = lib.rd_kafka_mock_broker_set_up
        self.set_up.restype, self.set_up.argtypes = integer, [pointer, c.c_int32]


class MockBroker:
    """One broker on a free port of 127.0.0.1. It lives as long as the process; there is nothing to close.

    ``bootstrap`` is its address. Calls block for some milliseconds.
    """

    fixed_partitions: int | None = None

    def __init__(self, library: _Library) -> None:
        self._lib = library
        error = c.create_string_buffer(512)
        conf = library.conf_new()
        # Without it a warning about unused settings goes to stderr at every start.
        if library.conf_set(conf, b"log_level", _LOG_ERRORS_ONLY, error, len(error)) != 0:
            raise BrokerError(f"librdkafka refuses its log level: {error.value.decode(errors='replace')}")
        handle = library.new(_PRODUCER, conf, error, len(error))
        if not handle:
            raise BrokerError(f"librdkafka does not start: {error.value.decode(errors='replace')}")
        self._cluster = library.cluster_new(handle, 1)
        if not self._cluster:
            raise BrokerError("librdkafka cannot start its broker: is a port of 127.0.0.1 free?")
        # Each group's first join would wait 3 s for members that never come.
        library.join_delay(self._cluster, 0)
        self.bootstrap: str = library.bootstraps(self._cluster).decode()

    def create_topic(self, name: str, partitions: int) -> None:
        """Create a topic. Raises :class:`BrokerError`, also when it exists."""
        code = self._poked(lambda: self._lib.topic_create(self._cluster, name.encode(), partitions, 1))
        self._check(code, f"create topic {name}")

    def delete_topic(self, name: str) -> None:
        """Delete a topic and its records."""
        code = self._poked(lambda: self._lib.topic_delete(self._cluster, name.encode()))
        self._check(code, f"delete topic {name}")

    def push_errors(self, api_key: int, codes: Sequence[int]) -> None:
        """Answer the next requests of this kind with these error codes, one each."""
        self._lib.push_errors(self._cluster, api_key, len(codes), (c.c_int * len(codes))(*codes))

    def set_down(self, down: bool) -> None:
        """Drop all connections and refuse new ones, or accept them again."""
        call = self._lib.set_down if down else self._lib.set_up
        # Not poked: a poke would only meet the closed port; the call may take its second.
        self._check(call(self._cluster, 1), "change the broker's state")

    def _check(self, code: int, action: str) -> None:
        if code != 0:
            raise BrokerError(f"the embedded broker cannot {action}: {self._lib.error_text(code).decode()}")

    def _poked(self, call: Callable[[], int]) -> int:
        """Run a call that waits for the broker's thread, which may sleep up to a second unless a socket wakes it."""
        result: list[int] = []
        thread = threading.Thread(target=lambda: result.append(call()), daemon=True)
        thread.start()
        host, port = self.bootstrap.rsplit(":", 1)
        pokes = int(_DEADLINE_S / _POKE_S)
        for _ in range(pokes):
            thread.join(_POKE_S)
            if not thread.is_alive():
                return result[0]
            try:
                socket.create_connection((host, int(port)), timeout=1.0).close()
            except OSError as error:
                logger.debug("poking the embedded broker: %s", error)
        raise BrokerError(f"the embedded broker did not answer within {_DEADLINE_S:.0f} s")


class FallbackBroker:
    """The same broker through Python's own binding, where the C API cannot be reached.

    Its topics all have ``fixed_partitions`` partitions and a group's first join takes 3 s.
    """

    fixed_partitions: int | None = FALLBACK_PARTITIONS

    def __init__(self) -> None:
        binding = importlib.import_module("confluent_kafka")
        self._owner = binding.Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "none", "log_level": 3})
        (node,) = self._owner.list_topics(timeout=_DEADLINE_S).brokers.values()
        self.bootstrap: str = f"{node.host}:{node.port}"

    def create_topic(self, name: str, partitions: int) -> None:
        """Create a topic. Raises :class:`BrokerError` for any partition count but the fixed one."""
        if partitions != self.fixed_partitions:
            raise BrokerError(f"topic {name} cannot have {partitions} partitions. {FALLBACK_NOTICE}")
        self._owner.list_topics(name, timeout=_DEADLINE_S)

    def delete_topic(self, name: str) -> None:
        raise BrokerError(f"topic {name} cannot be deleted. {FALLBACK_NOTICE}")

    def push_errors(self, api_key: int, codes: Sequence[int]) -> None:
        raise BrokerError(f"request {api_key} cannot be made to fail with {list(codes)}. {FALLBACK_NOTICE}")

    def set_down(self, down: bool) -> None:
        raise BrokerError(f"the broker cannot be taken {'down' if down else 'up'}. {FALLBACK_NOTICE}")


def start_broker() -> MockBroker | FallbackBroker:
    """Start the broker in this process.

    Raises :class:`BrokerError`, naming what to install, where confluent-kafka is missing or does not start.
    """
    try:
        extension = importlib.import_module("confluent_kafka.cimpl")
    except ImportError as error:
        raise BrokerError(
            "the embedded servers need confluent-kafka: pip install 'stormfold[embedded]' "
            "(it has wheels for Linux with glibc 2.28, macOS and Windows, not for Alpine)"
        ) from error
    try:
        # The symbols are searched through the extension's own librdkafka, wherever the wheel keeps it.
        library = _Library(str(extension.__file__))
    except (AttributeError, OSError) as error:
        logger.warning("%s (%s)", FALLBACK_NOTICE, error)
        return FallbackBroker()
    return MockBroker(library)
