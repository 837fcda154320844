"""The driver for RabbitMQ (extra `rabbit`), in oslo.messaging's wire form.

`messaging/bus.py` makes a `RabbitBus` for `rabbit://`; py-amqp below speaks AMQP 0-9-1.
"""

from celaje.common.messaging.rabbit.bus import RabbitBus

__all__ = ["RabbitBus"]
