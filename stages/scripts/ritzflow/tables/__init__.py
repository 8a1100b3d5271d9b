"""What a paper prints: records of cells, text of tables, style of figures."""
