"""What helps to read the maps of a result: ranges, sentences, colour bars, values under the cursor."""
