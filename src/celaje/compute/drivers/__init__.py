"""What stands behind the compute worker: drivers of hypervisors, real and simulated."""
