"""Where models and texts come from: directories, the hub, W&B, addresses; fetched once, verified, told of."""
