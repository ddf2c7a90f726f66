"""Small real models to try the service with: classifiers of handwritten digits, of different strength."""
