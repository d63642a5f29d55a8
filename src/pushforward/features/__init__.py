"""What distances between sets of images are taken on."""
