"""What runs the cells of experiments, apart from their claims."""
