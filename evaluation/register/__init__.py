"""Person registers: from files of any kind to canonical tables, and from these to cells of municipality and period."""
