"""The compute scheduler: picks a host for a server, by filters, then weights."""
