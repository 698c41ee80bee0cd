"""The spec of a network: untrusted text in, a checked value out, or a message with its place."""
