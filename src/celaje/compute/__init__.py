"""Compute (OpenStack's Nova): servers, flavors, key pairs. REST, conductor, scheduler, workers with
drivers."""
