"""A provider that is none: the wire protocols of the real ones over real sockets, for load tests and for trying out."""
