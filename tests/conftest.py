"""What holds for every test: an interrupt is heard, however the tests were started.

A shell starts background jobs with interrupts ignored, and every process below inherits that.
"""

import signal

signal.signal(signal.SIGINT, signal.default_int_handler)
