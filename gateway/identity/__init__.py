"""Who asks: a client certificate and an access token bound to it, both of one tenant."""
