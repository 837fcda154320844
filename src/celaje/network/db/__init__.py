"""The network service's database: only its API and its conductor import it."""
