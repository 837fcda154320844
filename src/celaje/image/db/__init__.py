"""The image service's tables and queries; imported by its API and conductor code only."""
