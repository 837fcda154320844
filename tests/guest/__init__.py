"""The test suite's guest: a Debian kernel with busybox, built here from the distribution's packages."""
