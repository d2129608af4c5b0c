"""Real servers for tests: one module a server, each started on free ports and gone with the test process."""
