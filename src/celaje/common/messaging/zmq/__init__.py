"""The driver for ZeroMQ (extra `zmq`): a cluster without a broker, every process connected with every other.

`messaging/bus.py` makes a `ZmqBus` for `zmq://`; pyzmq below speaks ZMTP, with CURVE between machines.
"""

from celaje.common.messaging.zmq.bus import ZmqBus

__all__ = ["ZmqBus"]
