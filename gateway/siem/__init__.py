"""The log for those who watch security events: in their formats, as a file or as a stream. Made of the log alone."""
