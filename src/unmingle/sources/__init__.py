"""Where faces come from: pictures on disk and what their names say."""
