"""Results of many slides as one table and one page, in the folder where they lie."""
