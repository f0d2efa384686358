"""The log in formats of security monitoring, as a file or a stream. Made from the log alone."""
