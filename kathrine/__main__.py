"""`python -m kathrine`, so that launchers that take a module can start it."""

from kathrine.cli.main import main

if __name__ == "__main__":
    main()
