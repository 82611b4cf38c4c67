"""What chooses: pure values that map a request to a route, and compose by wrapping."""

from multimodel_magic.strategies.basic import Fixed, Named, Resolved, WithFallbacks

__all__ = ["Fixed", "Named", "Resolved", "WithFallbacks"]
