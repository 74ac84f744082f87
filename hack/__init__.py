"""The development cluster: tools, Docker daemon, kind node, registry and images. Standard library only."""
