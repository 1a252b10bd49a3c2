"""Blue/green deployments behind AWS load balancers."""

__version__ = "0.1.0"
