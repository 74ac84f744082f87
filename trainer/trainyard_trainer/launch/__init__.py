"""Start the processes of a training on this machine, watch over them, and say how it ended. Without torch."""
