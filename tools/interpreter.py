"""Exits with 0 where the interpreter that runs this is one to set up with: of a version that is supported, able to make
virtual environments, and built with profile-guided optimisation.

Distributions build theirs so; pyenv does not unless asked. Without it a call takes a third more of the processor.
"""

import sys
import sysconfig


def main() -> int:
    """What to exit with."""
    try:
        import ensurepip  # noqa: F401, PLC0415 - Debian has it in a package of its own
    except ImportError:
        return 1
    asked = "--enable-optimizations" in str(sysconfig.get_config_var("CONFIG_ARGS"))
    return not ((3, 11) <= sys.version_info[:2] <= (3, 13) and (asked or sys.base_prefix == "/usr"))


if __name__ == "__main__":
    sys.exit(main())
