"""``python -m bluegreen`` is the console command."""

from bluegreen.cli.main import main

main()
