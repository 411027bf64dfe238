"""The review page: a small server on this machine that shows people and takes decisions about them."""
