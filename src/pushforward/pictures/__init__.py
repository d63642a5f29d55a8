"""Drawing: tiles of images, points in the plane, a critic's landscape, animations."""
