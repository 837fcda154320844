"""Celaje as several machines run it: RabbitMQ, a database server, HAProxy, and our services as processes."""
