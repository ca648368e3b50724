"""Consumers that write down every message as it came, each a program of its own.

They judge nothing: one JSON line for a message, with its place (topic, or exchange and routing key), its properties
and its payload in base64. A line is on its way to the disk before the message is acknowledged to the broker.
"""
