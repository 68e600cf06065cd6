"""What gradient descent finds: data, models, attacks and the training loop."""
