"""The live map: base map, vehicles, tracks, fences and the page around them."""
