"""Run the command line with ``python -m farshore``."""

from farshore.cli.main import main

if __name__ == "__main__":
    main()
