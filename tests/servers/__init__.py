"""Real servers for the tests, from Debian's packages: on loopback, in folders of their own, ended by pid."""
