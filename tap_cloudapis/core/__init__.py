"""What every service of the tap shares: one seam of the SDK per module."""
