"""The two services' HTTP answers, written from their published documents."""
