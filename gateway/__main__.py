"""`python -m gateway` is the `brightline` command."""

from gateway.cli import main

main()
