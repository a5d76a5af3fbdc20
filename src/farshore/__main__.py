"""The program: ``farshore``, and ``python -m farshore``."""

import signal


def run() -> None:
    """Run the command line and exit with its status."""
    # Until the command line is loaded an interrupt ends the process as the system does it, without a traceback.
    interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if interruptible:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from farshore.cli.main import main

    if interruptible:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    main()


if __name__ == "__main__":
    run()
