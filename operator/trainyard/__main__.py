"""`python -m trainyard`: the same program as the console script, for images and tests."""

from trainyard.cli import main

if __name__ == "__main__":
    main()
