"""The identity service (Keystone's API, v3.14): who may do what, where the services are."""
