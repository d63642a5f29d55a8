"""A trained model: publish it, load it, use it, look into its latent space."""
