"""Networks that were trained elsewhere, on more music than a user has: as taggers, and to build on."""
