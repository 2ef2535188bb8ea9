"""The host's client: runs samples on a board (or anything that answers like one) over a serial port."""

from __future__ import annotations

import contextlib
import errno
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import serial
from serial.tools import list_ports

from bitloom import RequestError, WorkError

from .protocol import (
    ERROR_TEXT,
    RESPONSE,
    WINDOW,
    Command,
    Deframer,
    ErrorCode,
    Identity,
    Interface,
    Message,
    VersionError,
    decode_values,
    encode_values,
    value_bytes,
)

BITS_PER_BYTE = 10
"""What a byte takes on the line: start bit, eight data bits, stop bit."""

_RETRIED = (ErrorCode.CHECKSUM, ErrorCode.LENGTH, ErrorCode.BUSY)
_BUSY_PAUSE = 0.005
_POLL = 0.02
"""Seconds a read waits at most; what has come is there at once."""

_SLICE = 1024
"""Bytes written at a time: a driver keeps 4,096 received ones, and as many come back while a frame is sent."""


@dataclass(frozen=True)
class Throughput:
    """What a run of :meth:`Client.infer` measured.

    ``uart_samples_per_second``: what the line alone would allow, from the bytes that travelled in its busier direction.
    """

    samples: int
    seconds: float
    sent_bytes: int
    received_bytes: int
    resent: int
    baud: int

    @property
    def samples_per_second(self) -> float:
        """Samples answered per second, from the first request to the last result."""
        return self.samples / self.seconds if self.seconds else 0.0

    @property
    def uart_samples_per_second(self) -> float:
        """Samples per second if the line were never idle in its busier direction."""
        busiest = max(self.sent_bytes, self.received_bytes)
        return self.samples * self.baud / (BITS_PER_BYTE * busiest) if busiest else 0.0


@dataclass
class _Pending:
    """A request under way: where its results go, its frame, when to send it (again), and when to give up waiting."""

    index: int
    frame: bytes
    send_at: float
    deadline: float
    sent: int = 0
    failures: int = 0
    busy_until: float = 0.0


class Client:
    """Talks to one board. A context manager; :meth:`close` gives the port back.

    ``port`` is the name of a serial port (``/dev/ttyUSB1``, ``COM4``, a pseudo-terminal) or an open object like
    ``serial.Serial``, which then stays the caller's. ``expected`` is the interface of the design that should answer;
    ``timeout`` is how many seconds a sample may take in the board and the driver, the time on the line not counted;
    ``retries`` is how often a sample is sent again after a checksum error or silence.

    Errors: :class:`RequestError` if the port cannot be opened or the board runs another design, :class:`WorkError` if
    it does not answer or answers nonsense.
    """

    def __init__(
        self,
        port: str | serial.SerialBase,
        expected: Interface,
        *,
        baud: int = 1_000_000,
        timeout: float = 1.0,
        retries: int = 3,
    ) -> None:
        if baud <= 0:
            raise RequestError(f"baud must be positive, not {baud}")
        if timeout <= 0:
            raise RequestError(f"timeout must be positive, not {timeout}")
        if retries < 0:
            raise RequestError(f"retries must be 0 or more, not {retries}")
        self.expected, self.baud, self.timeout, self.retries = expected, baud, timeout, retries
        self.throughput: Throughput | None = None
        self._owned = isinstance(port, str)
        self._serial = open_port(port, baud, timeout) if isinstance(port, str) else port
        self._serial.timeout = _POLL
        self._name = port if isinstance(port, str) else getattr(port, "name", None) or "the serial port"
        self._deframer = Deframer()
        self._inbox: list[Message] = []
        # A fresh start, so that late answers to another program's requests are not taken for ours.
        self._sequence = random.randrange(256)
        self._checked = False
        self._sent = self._received = self._resent = 0

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the port, if this client opened it."""
        if self._owned:
            self._serial.close()

    def identify(self) -> Identity:
        """Asks what runs on the board; :class:`WorkError` if nothing answers as the protocol says,
        :class:`RequestError` if it speaks another version of it."""
        with self._port_errors():
            self._serial.reset_input_buffer()
        self._deframer, self._inbox = Deframer(), []
        heard = 0
        for _ in range(self.retries + 1):
            sequence = self._next_sequence()
            self._write(Message(Command.IDENTIFY, sequence).to_frame())
            deadline = time.monotonic() + self.timeout
            while time.monotonic() < deadline:
                before = self._received
                messages = self._read()
                heard += self._received - before
                for message in messages:
                    if (message.command, message.sequence) == (RESPONSE | Command.IDENTIFY, sequence):
                        return self._parse_identity(message)
        if heard:
            raise WorkError(
                f"{self._name} sends {heard} bytes that are no frames of this protocol: check that the baud rate "
                f"({self.baud}) is the one the design was built for, and that this is the board's UART"
            )
        raise WorkError(
            f"no answer from {self._name}: check that the board is programmed and powered, that this is its UART port "
            f"(ports here: {_ports()}), and that the design was built for {self.baud} baud"
        )

    def check(self) -> Identity:
        """Identifies the board; :class:`RequestError` if it does not run the expected design."""
        found, wanted = self.identify(), self.expected.identity
        if found.design_id != wanted.design_id:
            raise RequestError(
                f"the board runs another design: its id is {found.design_id:#010x}, not {wanted.design_id:#010x}: "
                "program the board with this design, or name the build directory of the one it runs"
            )
        if found != wanted:
            raise RequestError(
                f"the board's design takes {found.elements} elements of {found.element_bytes} byte(s) and gives "
                f"{found.results} results of {found.result_bytes} byte(s), not {wanted.elements} of "
                f"{wanted.element_bytes} and {wanted.results} of {wanted.result_bytes}"
            )
        self._checked = True
        return found

    def infer(self, samples: np.ndarray, progress: Callable[[int, int], None] | None = None) -> np.ndarray:
        """The board's results, int64 of shape (samples, results), for integer ``samples`` of shape (samples, elements).

        Their elements are the graph's, in its order: ``take(graph, x).integers.reshape(len(x), -1)`` of what the
        network itself takes (:func:`bitloom.quant.take`); :func:`bitloom.quant.classes` and
        :func:`bitloom.quant.scores` say what the results mean.

        Identifies the board first, once per client. Two samples are under way at a time. ``progress`` is called with
        the number of samples answered and their total. Afterwards :attr:`throughput` holds what was measured.
        """
        flat = np.asarray(samples)
        if flat.shape[1:] != (self.expected.elements,):
            raise RequestError(
                f"samples must have the shape (samples, {self.expected.elements}), in the circuit's order, not "
                f"{flat.shape}; bitloom.quant.take puts others in order"
            )
        bodies = self._bodies(flat.reshape(len(flat), self.expected.elements))
        if not self._checked:
            self.check()
        return self._run(bodies, progress)

    def _bodies(self, samples: np.ndarray) -> list[bytes]:
        """The bodies of the requests; every value is checked before the first is sent."""
        if len(samples) == 0:
            return []
        whole = encode_values(samples, self.expected.element)
        size = len(whole) // len(samples)
        return [whole[k : k + size] for k in range(0, len(whole), size)]

    def _run(self, bodies: list[bytes], progress: Callable[[int, int], None] | None) -> np.ndarray:
        results = np.zeros((len(bodies), self.expected.results), np.int64)
        todo = deque(enumerate(bodies))
        pending: dict[int, _Pending] = {}
        done = 0
        self._sent = self._received = self._resent = 0
        started = time.monotonic()
        try:
            while todo or pending:
                while todo and len(pending) < WINDOW:
                    index, body = todo.popleft()
                    sequence = self._next_sequence()
                    frame = Message(Command.INFER, sequence, body).to_frame()
                    pending[sequence] = _Pending(index, frame, started, 0.0)
                self._send_due(pending)
                for message in self._read():
                    request = pending.get(message.sequence)
                    if request is None:
                        continue  # a late answer to a request that was answered already
                    if message.command == RESPONSE | Command.INFER:
                        del pending[message.sequence]
                        results[request.index] = self._parse_results(message)
                        done += 1
                        if progress is not None:
                            progress(done, len(bodies))
                    elif message.command == Command.ERROR:
                        self._refused(request, message)
        except BaseException:
            self._drain(pending)
            raise
        seconds = time.monotonic() - started
        self.throughput = Throughput(len(bodies), seconds, self._sent, self._received, self._resent, self.baud)
        return results

    def _send_due(self, pending: dict[int, _Pending]) -> None:
        """Sends what is due: new requests, refused ones, and those that got no answer in time."""
        for request in pending.values():
            now = time.monotonic()
            if not request.send_at and now >= request.deadline:
                request.send_at = now
                request.failures += 1
            if not request.send_at or request.send_at > now:
                continue
            if request.failures > self.retries:
                raise WorkError(
                    f"sample {request.index} was sent {request.sent} times and {self._name} did not answer it "
                    f"within {self.timeout:g} s each: check the cable, or raise the timeout if the design is slow"
                )
            self._resent += request.sent > 0
            request.sent += 1
            request.send_at = 0.0
            self._write(request.frame)
            # Ahead of it on the line may be the other sample of the window; both answers must come back, too.
            answer = 2 * (4 + self.expected.results * value_bytes(self.expected.result)) + 2
            line = WINDOW * (len(request.frame) + answer)
            request.deadline = time.monotonic() + self.timeout + line * BITS_PER_BYTE / self.baud

    def _refused(self, request: _Pending, message: Message) -> None:
        """Plans another attempt, or raises if another attempt would be refused as well."""
        code = message.body[0] if message.body else 0
        text = ERROR_TEXT.get(code, f"error {code}")  # type: ignore[call-overload]
        if code not in _RETRIED:
            raise WorkError(f"{self._name} refused sample {request.index}: {text}")
        if code == ErrorCode.BUSY:
            # Our own samples after a lost answer, or another program's, are still under way.
            now = time.monotonic()
            request.busy_until = request.busy_until or now + (self.retries + 1) * self.timeout
            if now > request.busy_until:
                raise WorkError(
                    f"{self._name} stays busy: no sample buffer fell free in {(self.retries + 1) * self.timeout:g} s; "
                    "is another program using the board, or has the accelerator stopped?"
                )
            request.send_at = now + _BUSY_PAUSE
            return
        request.failures += 1
        if request.failures > self.retries:
            raise WorkError(
                f"{self._name} refused sample {request.index} {request.sent} times, the last time because of "
                f"{text}: the line loses bits at {self.baud} baud; check the cable, or build for a lower baud rate"
            )
        request.send_at = time.monotonic()

    def _drain(self, pending: dict[int, _Pending]) -> None:
        """Leaves the line clean after an interruption: waits for the answers that are still to come."""
        deadline = time.monotonic() + min(self.timeout, 0.5)
        sent = {sequence for sequence, request in pending.items() if request.sent}
        with contextlib.suppress(WorkError):
            while sent and time.monotonic() < deadline:
                sent -= {message.sequence for message in self._read()}

    def _parse_identity(self, message: Message) -> Identity:
        try:
            return Identity.from_bytes(message.body)
        except VersionError as error:
            raise RequestError(f"{error}: build and program the design anew") from None
        except ValueError as error:
            raise WorkError(f"{self._name} answers with another protocol: {error}") from None

    def _parse_results(self, message: Message) -> np.ndarray:
        try:
            values = decode_values(message.body, self.expected.result)
        except ValueError as error:
            raise WorkError(f"{self._name} answers with another protocol: {error}") from None
        if len(values) != self.expected.results:
            raise WorkError(f"{self._name} answered {len(values)} results, not {self.expected.results}")
        return values

    def _next_sequence(self) -> int:
        self._sequence = (self._sequence + 1) % 256
        return self._sequence

    def _write(self, data: bytes) -> None:
        """Sends ``data``, in slices: what comes meanwhile is read between them, before the driver has to drop it."""
        for start in range(0, len(data), _SLICE):
            with self._port_errors():
                self._serial.write(data[start : start + _SLICE])
                waiting = self._serial.in_waiting if start + _SLICE < len(data) else 0
            if waiting:
                self._inbox += self._take(waiting)
        self._sent += len(data)

    def _read(self) -> list[Message]:
        """The messages that have come; waits for a byte for a moment if there is none."""
        if self._inbox:
            messages, self._inbox = self._inbox, []
            return messages
        with self._port_errors():
            waiting = self._serial.in_waiting
        return self._take(max(1, waiting))

    def _take(self, count: int) -> list[Message]:
        """The messages that end in the next ``count`` bytes, or in those of them that come in a moment."""
        with self._port_errors():
            data = self._serial.read(count)
        self._received += len(data)
        return self._deframer.feed(data)

    @contextlib.contextmanager
    def _port_errors(self):
        """Turns the port's own errors into one line."""
        try:
            yield
        except (serial.SerialException, OSError, TypeError) as error:  # TypeError: pyserial, of a closed port
            raise WorkError(f"{self._name} was lost: {error}; was the board unplugged?") from None


def open_port(name: str, baud: int, timeout: float = 0.0) -> serial.SerialBase:
    """Opens the serial port ``name`` (or a pyserial URL), 8N1; :class:`RequestError` with the way out if that fails.

    A slice that is written may take five seconds, or ``timeout`` if that is more.
    """
    try:
        port = serial.serial_for_url(name, baudrate=baud, do_not_open=True)
        port.write_timeout = max(5.0, timeout)
        with contextlib.suppress(ValueError, AttributeError):
            port.exclusive = True  # where the system can: no second program on this port
        port.open()
    except (serial.SerialException, ValueError, OSError) as error:
        raise RequestError(_why_not_open(name, baud, error)) from None
    with contextlib.suppress(Exception):
        port.set_low_latency_mode(True)  # FTDI's driver otherwise holds short answers back for up to 16 ms
    return port


def _why_not_open(name: str, baud: int, error: Exception) -> str:
    code = getattr(error, "errno", None)
    text = str(error)
    if code == errno.EACCES or "PermissionError" in text:
        return (
            f"port {name} may not be opened: join the group that owns it (often 'dialout' or 'uucp', then log in "
            "again), or add a udev rule; on Windows close the program that holds it"
        )
    if code in (errno.ENOENT, errno.ENXIO, errno.ENODEV) or "FileNotFoundError" in text:
        return f"there is no port {name}; ports here: {_ports()}"
    if code in (errno.EAGAIN, errno.EBUSY, errno.EWOULDBLOCK) or "lock" in text:
        return f"port {name} is in use by another program: close that first"
    return f"port {name} cannot be opened at {baud} baud: {text}; ports here: {_ports()}"


def _ports() -> str:
    """The serial ports that exist, with what they call themselves."""
    ports = sorted(list_ports.comports(), key=lambda port: port.device)
    return ", ".join(f"{port.device} ({port.description})" for port in ports) or "none"
