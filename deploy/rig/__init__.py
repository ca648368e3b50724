"""What the demo and the end-to-end tests stand on: real brokers, consumers and the daemon, each a process of its own.

Everything here needs Python's standard library only, except `consumers/`, which need paho-mqtt and pika. Nothing is
shared with the machine: every process has its own temporary folder and its own ports on the loopback interface, and is
ended by the process id that started it.
"""
