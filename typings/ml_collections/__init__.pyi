"""Types of the part of ml_collections that kdsharp uses.

The package has none of its own: a checker that reads its source takes every value of a
config for the union of all that any config may hold. Here a value is what the config
says, `Any`.
"""

from ml_collections.config_dict import ConfigDict as ConfigDict
