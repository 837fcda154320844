"""Identity's tables and queries; imported by its API and its bootstrap only."""
