"""The WebUI's install hook (without arguments), and every command of Stylus: python install.py
COMMAND ...
"""

import sys


def main():  # type: () -> int
    """Refuses an old Python with a sentence, then hands over; nothing newer may be imported before
    that.
    """
    if sys.version_info < (3, 10):  # noqa: UP036
        found = ".".join(str(number) for number in sys.version_info[:3])
        sys.stderr.write(
            "Stylus needs Python 3.10, 3.11, 3.12 or 3.13, and this is "
            + found
            + "; please start it with one of those.\n"
        )
        # The WebUI calls this without arguments, and takes another exit code for a broken
        # extension.
        return 1 if len(sys.argv) > 1 else 0
    from pathlib import Path

    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from stylus_ext.environment.launch import replace_unencodable

    replace_unencodable()
    if len(sys.argv) == 1:
        from stylus_ext.environment import hook

        return hook.run()
    from stylus_ext.environment import commands

    return commands.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
