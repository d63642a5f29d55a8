"""Several models trained one after another, that sample, save and load as one."""
