"""The host client against a board in pure Python at the far end of a pseudo-terminal."""

import errno
import os
import re
import select
import threading
import time

import numpy as np
import pytest
import serial

from bitloom import RequestError, WorkError
from bitloom.boards.client import Client, Throughput, _why_not_open, open_port
from bitloom.boards.protocol import Deframer, ErrorCode, Interface, Message, decode_values, encode_values
from bitloom.quant.formats import Format

FACE = Interface(0xBEEF0001, 4, Format(8, signed=True), 2, Format(12, signed=True))
TIMEOUT = 0.2


def model(samples):
    return np.stack([samples.sum(axis=1), samples[:, 0] - samples[:, 1]], axis=1)


class Board(threading.Thread):
    """Answers as the circuit does; ``fault(message, frame)`` may change the frames that it sends back."""

    def __init__(self, face=FACE, fault=lambda message, frame: frame, model=model):
        super().__init__(daemon=True)
        self.face, self.fault, self.model = face, fault, model
        self.requests = []
        self.far, near = os.openpty()
        self.port = os.ttyname(near)
        self.near = near
        self.running = True

    def run(self):
        deframer, out = Deframer(), b""
        os.set_blocking(self.far, False)
        while self.running:  # the circuit always listens, whatever it has to say
            comes, leaves, _ = select.select([self.far], [self.far] if out else [], [], 0.02)
            if comes:
                for message in deframer.feed(os.read(self.far, 4096)):
                    self.requests.append(message)
                    out += self.fault(message, self.answer(message).to_frame())
            if leaves:
                out = out[os.write(self.far, out[:256]) :]

    def answer(self, message):
        if message.command == 1:
            return Message(0x81, message.sequence, self.face.identity.to_bytes())
        values = decode_values(message.body, self.face.element)
        return Message(0x82, message.sequence, encode_values(self.model(values[None]), self.face.result))

    def stop(self):
        self.running = False
        self.join()
        os.close(self.far)
        os.close(self.near)


@pytest.fixture
def board():
    """Starts a :class:`Board`."""
    started = []

    def start(**options):
        started.append(Board(**options))
        started[-1].start()
        return started[-1]

    yield start
    for b in started:
        b.stop()


def samples(count, seed=0):
    return np.random.default_rng(seed).integers(-128, 128, (count, 4))


def expect(x):
    return model(x.reshape(len(x), -1))


def refuse(*plan):
    """A fault: the n-th INFER is refused with the n-th code; ``None`` answers it, 0 stays silent."""
    codes = list(plan)

    def fault(message, frame):
        code = codes.pop(0) if message.command == 2 and codes else None
        if code is None:
            return frame
        return Message(0xFF, message.sequence, bytes([code])).to_frame() if code else b""

    return fault


def test_identity_results_order_and_throughput(board):
    b, x, seen = board(), samples(300), []
    with Client(b.port, FACE) as client:
        assert client.identify() == FACE.identity
        results = client.infer(x, progress=lambda done, total: seen.append((done, total)))
    assert results.dtype == np.int64 and np.array_equal(results, expect(x))
    assert seen == [(k + 1, 300) for k in range(300)]
    t = client.throughput
    assert t.samples == 300 and t.resent == 0 and t.sent_bytes >= 300 * 10 and t.received_bytes >= 300 * 10
    assert t.samples_per_second == 300 / t.seconds
    assert t.uart_samples_per_second == 300 * 1_000_000 / 10 / max(t.sent_bytes, t.received_bytes)


def test_throughput_of_nothing_is_nothing():
    nothing = Throughput(0, 0.0, 0, 0, 0, 9600)
    assert nothing.samples_per_second == nothing.uart_samples_per_second == 0


def test_an_open_port_stays_the_callers(board):
    b, x = board(), samples(5)
    with serial.Serial(b.port, 115200) as port:
        with Client(port, FACE, baud=115200) as client:
            assert np.array_equal(client.infer(x), expect(x))
            assert client.infer(x[:0]).shape == (0, 2)
        assert port.is_open


@pytest.mark.parametrize("code", [ErrorCode.CHECKSUM, ErrorCode.LENGTH, ErrorCode.BUSY, 0])
def test_refused_and_lost_samples_are_sent_again(board, code):
    b, x = board(fault=refuse(None, code, None, code, code, None, code)), samples(8)
    with Client(b.port, FACE, timeout=TIMEOUT, retries=4) as client:
        assert np.array_equal(client.infer(x), expect(x))
        assert client.throughput.resent == 4


def test_noise_and_stale_answers_between_the_frames_do_no_harm(board):
    def fault(message, frame):
        stale = Message(0x82, (message.sequence + 100) % 256, bytes(4)).to_frame()
        return b"\x00\xff\x7d\x7e" + stale + frame[:-3] + b"\x7d\x7e" + frame + frame + b"\x12"

    b, x = board(fault=fault), samples(20)
    with Client(b.port, FACE) as client:
        assert np.array_equal(client.infer(x), expect(x))


@pytest.mark.parametrize(
    "plan, message",
    [
        ([ErrorCode.CHECKSUM] * 20, "refused sample 0 3 times, the last time because of wrong checksum: the line"),
        ([ErrorCode.VALUE], "refused sample 0: a value is outside its format"),
        ([ErrorCode.COMMAND], "refused sample 0: unknown command"),
        ([9], "refused sample 0: error 9"),
        ([0] * 20, r"sample 0 was sent 3 times and \S+ did not answer it within 0.2 s each"),
        ([ErrorCode.BUSY] * 1000, r"stays busy: no sample buffer fell free in 0.6 s"),
    ],
)
def test_what_cannot_be_mended_is_one_line(board, plan, message):
    b = board(fault=refuse(*plan))
    with Client(b.port, FACE, timeout=TIMEOUT, retries=2) as client, pytest.raises(WorkError, match=message):
        client.infer(samples(1))


def test_an_interruption_leaves_the_line_clean(board):
    b, x = board(), samples(10)

    def interrupt(done, total):
        if done == 3:
            raise KeyboardInterrupt

    with Client(b.port, FACE) as client:
        with pytest.raises(KeyboardInterrupt):
            client.infer(x, progress=interrupt)
        assert np.array_equal(client.infer(x), expect(x))


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(design_id=7), "the board runs another design: its id is 0xbeef0001, not 0x00000007: program the board"),
        (dict(elements=8), r"takes 4 elements of 1 byte\(s\) and gives 2 results of 2 byte\(s\), not 8 of 1 and 2"),
        (dict(result=Format(8)), r"not 4 of 1 and 2 of 1"),
    ],
)
def test_another_design_is_named(board, change, message):
    wanted = Interface(**{**FACE.__dict__, **change})
    with Client(board().port, wanted) as client, pytest.raises(RequestError, match=message):
        client.infer(np.zeros((1, wanted.elements), int))


def test_another_protocol_version_is_named(board):
    def fault(message, frame):
        # as version 1 did: counts of two bytes
        return Message(0x81, message.sequence, b"\x01\x01\x00\xef\xbe\x04\x00\x01\x02\x00\x02").to_frame()

    with Client(board(fault=fault).port, FACE) as client, pytest.raises(RequestError, match=r"version 1, this .* 2"):
        client.check()


def test_samples_and_results_longer_than_a_driver_keeps(board):
    face = Interface(7, 40_000, Format(8), 80_000, Format(8))
    b = board(face=face, model=lambda x: np.repeat(x, 2, axis=1) ^ 0x7D)
    x = np.random.default_rng(3).integers(0, 256, (3, 40_000))
    with Client(b.port, face, timeout=5.0) as client:
        assert np.array_equal(client.infer(x), np.repeat(x, 2, axis=1) ^ 0x7D)
        assert client.throughput.resent == 0


@pytest.mark.parametrize(
    "body, message",
    [(b"\x01\x00", "answered 1 results, not 2"), (b"\x01", "another protocol"), (b"\xff\x7f\x00\x00", "outside i12")],
)
def test_results_of_the_wrong_kind(board, body, message):
    def fault(request, frame):
        return frame if request.command == 1 else Message(0x82, request.sequence, body).to_frame()

    with Client(board(fault=fault).port, FACE) as client, pytest.raises(WorkError, match=message):
        client.infer(samples(1))


@pytest.mark.parametrize(
    "answer, message",
    [
        (b"", r"no answer from \S+: check that the board is programmed .*1000000 baud"),
        (b"\x00\x80\x7e", r"sends 6 bytes that are no frames .*baud rate \(1000000\)"),
    ],
)
def test_silence_and_noise_say_what_to_check(board, answer, message):
    b = board(fault=lambda message, frame: answer)
    with Client(b.port, FACE, timeout=0.05, retries=1) as client, pytest.raises(WorkError, match=message):
        client.infer(samples(1))


def test_a_lost_port_is_one_line(board):
    b = board()
    with Client(b.port, FACE) as client:
        client.check()
        client._serial.close()
        with pytest.raises(WorkError, match=r"was lost: .*; was the board unplugged"):
            client.infer(samples(1))


@pytest.mark.parametrize(
    "x, message",
    [
        (np.zeros(4, int), re.escape("samples must have the shape (samples, 4), in the circuit's order, not (4,)")),
        (np.zeros((3, 2, 2), int), re.escape("not (3, 2, 2); bitloom.quant.take puts others in order")),
        (np.zeros((3, 5), int), re.escape("not (3, 5)")),
        (np.zeros((3, 4)), "values must be integers, not float64"),
        (np.full((3, 4), 128), "values must be in i8 .−128|values must be in i8 .-128 … 127., not 128 … 128"),
    ],
)
def test_samples_of_the_wrong_kind_never_leave(board, x, message):
    b = board()
    with Client(b.port, FACE) as client, pytest.raises(RequestError, match=message):
        client.infer(x)
    time.sleep(0.05)
    assert b.requests == []


def test_a_port_that_does_not_exist_lists_those_that_do(monkeypatch):
    with pytest.raises(RequestError, match="there is no port /dev/nowhere; ports here: "):
        Client("/dev/nowhere", FACE)
    with pytest.raises(RequestError, match="port nothing://x cannot be opened at 1000000 baud: invalid URL"):
        open_port("nothing://x", 1_000_000)


def test_a_port_in_use_says_so(board):
    b = board()
    with Client(b.port, FACE), pytest.raises(RequestError, match="is in use by another program"):
        Client(b.port, FACE)


def test_a_port_without_permission_says_what_to_do():
    text = _why_not_open("/dev/ttyUSB0", 9600, serial.SerialException(errno.EACCES, "Permission denied"))
    assert "may not be opened: join the group that owns it" in text


@pytest.mark.parametrize("change", [dict(baud=0), dict(timeout=0), dict(retries=-1)])
def test_parameters_are_checked(change):
    with pytest.raises(RequestError, match=f"{next(iter(change))} must be .*, not {next(iter(change.values()))}"):
        Client("/dev/nowhere", FACE, **change)


def test_the_circuit_itself_answers_the_client(bench):
    """Client, pseudo-terminal, simulated wires, link, accelerator."""
    b = bench(elements=4, lanes=2, element=Format(5, signed=True), results=2, result=Format(9, signed=True))
    x = b.samples(12)
    far, near = os.openpty()
    outcome = []

    def host():
        with Client(os.ttyname(near), b.interface, timeout=20) as client:
            outcome.append(client.infer(x))

    thread = threading.Thread(target=host)
    thread.start()

    async def script(wires):
        sent = 0
        while thread.is_alive():
            if select.select([far], [], [], 0)[0]:
                await wires.send(os.read(far, 4096))
            await wires.idle(50)
            os.write(far, wires.raw[sent:])
            sent = len(wires.raw)

    b.run(script)
    os.close(far)
    os.close(near)
    assert np.array_equal(outcome[0], b.accelerator.model(x))
