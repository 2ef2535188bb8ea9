"""The circuit's side of the host link: UART, framing, command handler. One component per file."""

from .baud import baud_divisor
from .deframer import HDLCDeframer
from .framer import HDLCFramer
from .host_link import HostLink
from .receiver import UARTReceiver
from .requests import RequestChecker
from .responder import Responder
from .sample_buffer import SampleBuffer
from .transmitter import UARTTransmitter
from .wire_format import WireFormat

__all__ = [
    "HDLCDeframer",
    "HDLCFramer",
    "HostLink",
    "RequestChecker",
    "Responder",
    "SampleBuffer",
    "UARTReceiver",
    "UARTTransmitter",
    "WireFormat",
    "baud_divisor",
]
