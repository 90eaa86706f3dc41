"""Taking a model out of Honed: plain folders for other runtimes, and what an administrator needs to run the server."""
