"""Good."""
import os
from sys import path as where


def f():
    return os.path, where
