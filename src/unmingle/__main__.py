"""`python -m unmingle` is the command line."""

from unmingle.cli import main

main()
